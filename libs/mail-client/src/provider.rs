//! The big providers, found from the host typed (never from the address: domains are hosted
//! anywhere), and what is peculiar to signing in there.

use shared_models::domain::diagnosis::Leg;

/// A provider whose replies or rules we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Google,
    Microsoft,
    /// Yahoo, AOL and AT&T share one platform.
    Yahoo,
    ICloud,
    Fastmail,
    Zoho,
    TOnline,
    /// GMX, WEB.DE.
    Gmx,
    Yandex,
    MailRu,
    Qq,
    /// 163 and 126.
    NetEase,
    Proton,
    Tuta,
    /// Providers that want the part of the address before the `@`: free.fr, laposte.net, wp.pl, o2.pl.
    LocalPart,
    Other,
}

struct Known {
    provider: Provider,
    name: &'static str,
    /// The host is one of these or ends in "." and one of these.
    hosts: &'static [&'static str],
    /// Hosts that only receive mail (targets of MX records): prefix and suffix.
    exchangers: &'static [(&'static str, &'static str)],
    /// SMTP and IMAP host for users.
    presets: (&'static str, &'static str),
}

const fn known(
    provider: Provider,
    name: &'static str,
    hosts: &'static [&'static str],
    exchangers: &'static [(&'static str, &'static str)],
    presets: (&'static str, &'static str),
) -> Known {
    Known { provider, name, hosts, exchangers, presets }
}

#[rustfmt::skip]
const KNOWN: &[Known] = &[
    known(Provider::Google, "Google", &["gmail.com", "googlemail.com", "google.com"],
        &[("", "aspmx.l.google.com"), ("aspmx", ".googlemail.com"), ("", "gmail-smtp-in.l.google.com"), ("", "smtp.google.com")],
        ("smtp.gmail.com", "imap.gmail.com")),
    known(Provider::Microsoft, "Microsoft", &["office365.com", "outlook.com", "hotmail.com", "live.com", "office.com"],
        &[("", ".protection.outlook.com"), ("", ".mx.microsoft")],
        ("smtp.office365.com", "outlook.office365.com")),
    known(Provider::Yahoo, "Yahoo", &["mail.yahoo.com", "yahoo.com"], &[("mta", ".yahoodns.net"), ("mx-", ".yahoodns.net")],
        ("smtp.mail.yahoo.com", "imap.mail.yahoo.com")),
    known(Provider::Yahoo, "AOL", &["aol.com"], &[("mx-aol", ".yahoodns.net")], ("smtp.aol.com", "imap.aol.com")),
    known(Provider::Yahoo, "AT&T", &["mail.att.net", "att.net"], &[("al-ip4-mx", ".prodigy.net"), ("ff-ip4-mx", ".prodigy.net")],
        ("smtp.mail.att.net", "imap.mail.att.net")),
    known(Provider::ICloud, "iCloud", &["mail.me.com", "mail.icloud.com"], &[("mx", ".mail.icloud.com")],
        ("smtp.mail.me.com", "imap.mail.me.com")),
    known(Provider::Fastmail, "Fastmail", &["fastmail.com", "messagingengine.com"], &[("in1-smtp", ".messagingengine.com"), ("in2-smtp", ".messagingengine.com")],
        ("smtp.fastmail.com", "imap.fastmail.com")),
    known(Provider::Zoho, "Zoho", &["zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zoho.sa", "zohocloud.ca"],
        &[("mx", ".zoho.com"), ("mx", ".zoho.eu"), ("mx", ".zoho.in"), ("mx", ".zoho.com.au"), ("mx", ".zoho.jp"), ("mx", ".zohocloud.ca")],
        ("smtp.zoho.com", "imap.zoho.com")),
    known(Provider::TOnline, "T-Online", &["t-online.de"], &[("mx0", ".t-online.de")], ("securesmtp.t-online.de", "secureimap.t-online.de")),
    known(Provider::Gmx, "GMX", &["gmx.net", "gmx.com"], &[("mx0", ".gmx.net"), ("mx0", ".gmx.com")], ("mail.gmx.net", "imap.gmx.net")),
    known(Provider::Gmx, "WEB.DE", &["web.de"], &[("mx-ha", ".web.de")], ("smtp.web.de", "imap.web.de")),
    known(Provider::Yandex, "Yandex", &["yandex.com", "yandex.ru", "yandex.net"], &[("mx.", "yandex.net"), ("mx.", "yandex.ru")],
        ("smtp.yandex.com", "imap.yandex.com")),
    known(Provider::MailRu, "Mail.ru", &["mail.ru"], &[("mxs.", "mail.ru"), ("emx.", "mail.ru")], ("smtp.mail.ru", "imap.mail.ru")),
    known(Provider::Qq, "QQ Mail", &["qq.com"], &[("mx", ".qq.com"), ("mxbiz", ".qq.com")], ("smtp.qq.com", "imap.qq.com")),
    known(Provider::NetEase, "163", &["163.com", "126.com", "yeah.net"], &[("", ".mxmail.netease.com"), ("", ".netease.com")],
        ("smtp.163.com", "imap.163.com")),
    known(Provider::Proton, "Proton Mail", &["protonmail.ch", "proton.me"], &[("mail.", "protonmail.ch"), ("mailsec.", "protonmail.ch")],
        ("smtp.protonmail.ch", "its Bridge program")),
    known(Provider::Tuta, "Tuta", &["tutanota.com", "tutanota.de", "tuta.com"], &[("mail.", "tutanota.de")],
        ("its own programs", "its own programs")),
    known(Provider::LocalPart, "Free", &["free.fr"], &[("mx", ".free.fr")], ("smtp.free.fr", "imap.free.fr")),
    known(Provider::LocalPart, "La Poste", &["laposte.net"], &[("smtpz4.", "laposte.net")], ("smtp.laposte.net", "imap.laposte.net")),
    known(Provider::LocalPart, "WP", &["wp.pl"], &[("mx.", "wp.pl")], ("smtp.wp.pl", "imap.wp.pl")),
    known(Provider::LocalPart, "o2", &["o2.pl"], &[("mx.", "o2.pl")], ("poczta.o2.pl", "poczta.o2.pl")),
];

/// Who runs a host, and under which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) provider: Provider,
    /// As the end user knows it; `None` for unknown operators.
    pub(crate) name: Option<&'static str>,
}

/// Finds the operator of a host.
pub(crate) fn operator_of(host: &str) -> Operator {
    let found = KNOWN.iter().find(|known| known.hosts.iter().any(|suffix| is_below(host, suffix)));
    Operator { provider: found.map_or(Provider::Other, |known| known.provider), name: found.map(|known| known.name) }
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A host that only receives mail: the provider's name and the host to use instead.
pub(crate) fn exchanger(host: &str, leg: Leg) -> Option<(&'static str, &'static str)> {
    let known = KNOWN.iter().find(|known| {
        let receives = |(prefix, suffix): &(&str, &str)| {
            host.len() >= prefix.len() + suffix.len() && host.starts_with(prefix) && host.ends_with(suffix)
        };
        let is_preset = [known.presets.0, known.presets.1].contains(&host);
        !is_preset && known.exchangers.iter().any(receives)
    })?;
    Some((known.name, preset(known, leg)))
}

fn preset(known: &Known, leg: Leg) -> &'static str {
    match leg {
        Leg::Smtp => known.presets.0,
        Leg::Imap => known.presets.1,
    }
}

/// The well-known host that was probably meant: one or two letters away.
pub(crate) fn suggestion(host: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .flat_map(|known| [known.presets.0, known.presets.1])
        .filter(|preset| preset.contains('.') && *preset != host)
        .map(|preset| (distance(host.as_bytes(), preset.as_bytes()), preset))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, preset)| preset)
}

/// Letters to insert, remove, replace or swap with the next one (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut cost = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The user name that the provider wants when the one given has the wrong form.
pub(crate) fn wanted_user_name(provider: Provider, leg: Leg, username: &str) -> Option<&'static str> {
    let full = username.contains('@');
    match (provider, leg) {
        (Provider::LocalPart, _) if full => Some("only the part of the address before the @"),
        (Provider::ICloud, Leg::Smtp) | (Provider::Microsoft | Provider::Fastmail, _) if !full => {
            Some("the full address")
        }
        _ => None,
    }
}

/// App passwords are shown in groups, and people paste them so. Google's are 16 letters, QQ's are
/// four groups of four. Nobody else's password is touched.
pub(crate) fn without_app_password_spaces(provider: Provider, password: &str) -> Option<String> {
    if !matches!(provider, Provider::Google | Provider::Qq) {
        return None;
    }
    let compact: String = password.chars().filter(|c| !c.is_whitespace()).collect();
    let is_code = compact.len() == 16 && compact.bytes().all(|b| b.is_ascii_alphabetic());
    (is_code && compact.len() != password.len()).then_some(compact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells_the_operator() {
        for (host, provider) in [
            ("smtp.gmail.com", Provider::Google),
            ("outlook.office365.com", Provider::Microsoft),
            ("smtp-mail.outlook.com", Provider::Microsoft),
            ("imap.mail.yahoo.com", Provider::Yahoo),
            ("imap.web.de", Provider::Gmx),
            ("imappro.zoho.eu", Provider::Zoho),
            ("imap.notgmail.com", Provider::Other),
            ("mail.example.com", Provider::Other),
            ("127.0.0.1", Provider::Other),
        ] {
            assert_eq!(operator_of(host).provider, provider, "{host}");
        }
    }

    #[test]
    fn exchangers_are_no_login_servers() {
        for host in [
            "aspmx.l.google.com",
            "alt1.aspmx.l.google.com",
            "company-com.mail.protection.outlook.com",
            "in1-smtp.messagingengine.com",
            "mx.zoho.eu",
            "mx00.gmx.net",
            "mx01.mail.icloud.com",
        ] {
            assert!(exchanger(host, Leg::Smtp).is_some(), "{host}");
        }
        for known in KNOWN {
            for host in [known.presets.0, known.presets.1] {
                assert_eq!(exchanger(host, Leg::Smtp), None, "{host}");
            }
        }
        assert_eq!(exchanger("mx.example.com", Leg::Imap), None);
        assert_eq!(exchanger("aspmx.l.google.com", Leg::Imap), Some(("Google", "imap.gmail.com")));
    }

    #[test]
    fn typing_errors_are_recognised() {
        assert_eq!(suggestion("smtp.gmial.com"), Some("smtp.gmail.com"));
        assert_eq!(suggestion("imap.gmail.con"), Some("imap.gmail.com"));
        assert_eq!(suggestion("smtp.ofice365.com"), Some("smtp.office365.com"));
        assert_eq!(suggestion("mail.example.com"), None);
    }

    #[test]
    fn spaces_go_from_app_passwords_only() {
        let compact = |provider, password| without_app_password_spaces(provider, password);
        assert_eq!(compact(Provider::Google, "abcd efgh\u{a0}ijkl mnop").as_deref(), Some("abcdefghijklmnop"));
        assert_eq!(compact(Provider::Google, "my own pass word"), None);
        assert_eq!(compact(Provider::Google, "abcdefghijklmnop"), None);
        assert_eq!(compact(Provider::Other, "abcd efgh ijkl mnop"), None);
    }
}
