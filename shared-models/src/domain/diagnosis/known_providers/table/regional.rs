//! Mailboxes for everybody, in one country or language.

use super::{
    APP_PASSWORD_IN_GROUPS, KnownProvider, Operator, UNCONFIRMED, UserNameForm, hosts, preset_hosts, publish, user_name,
};

pub(super) static ROWS: &[KnownProvider] = &[
    KnownProvider {
        operator: Operator::TOnline,
        name: "T-Online",
        login_hosts: &["t-online.de"],
        exchangers: &[hosts("mx0", ".t-online.de")],
        presets: preset_hosts("securesmtp.t-online.de", "secureimap.t-online.de"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Gmx,
        name: "GMX",
        login_hosts: &["gmx.net", "gmx.com"],
        exchangers: &[hosts("mx0", ".gmx.net"), hosts("mx0", ".gmx.com")],
        presets: preset_hosts("mail.gmx.net", "imap.gmx.net"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Gmx,
        name: "WEB.DE",
        login_hosts: &["web.de"],
        exchangers: &[hosts("mx-ha", ".web.de")],
        presets: preset_hosts("smtp.web.de", "imap.web.de"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Yandex,
        name: "Yandex",
        login_hosts: &["yandex.com", "yandex.ru", "yandex.net"],
        exchangers: &[hosts("mx.", "yandex.net"), hosts("mx.", "yandex.ru")],
        presets: preset_hosts("smtp.yandex.com", "imap.yandex.com"),
        customer_hosts: &["smtp.yandex.com", "imap.yandex.com", "imap.yandex.ru"],
        mx_domains: &["mx.yandex.net"],
        mx_to_publish: publish(10, "mx.yandex.net"),
        spf_includes: &["_spf.yandex.net"],
        dkim_selectors: &["mail"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::MailRu,
        name: "Mail.ru",
        login_hosts: &["mail.ru"],
        exchangers: &[hosts("mxs.", "mail.ru"), hosts("emx.", "mail.ru")],
        presets: preset_hosts("smtp.mail.ru", "imap.mail.ru"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Qq,
        name: "QQ Mail",
        login_hosts: &["qq.com"],
        exchangers: &[hosts("mx", ".qq.com"), hosts("mxbiz", ".qq.com")],
        presets: preset_hosts("smtp.qq.com", "imap.qq.com"),
        quirks: APP_PASSWORD_IN_GROUPS,
        ..UNCONFIRMED
    },
    // One company, three brands: 163, 126 and yeah.net.
    KnownProvider {
        operator: Operator::NetEase,
        name: "163",
        login_hosts: &["163.com", "126.com", "yeah.net"],
        exchangers: &[hosts("", ".mxmail.netease.com"), hosts("", ".netease.com")],
        presets: preset_hosts("smtp.163.com", "imap.163.com"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Free,
        name: "Free",
        login_hosts: &["free.fr"],
        exchangers: &[hosts("mx", ".free.fr")],
        presets: preset_hosts("smtp.free.fr", "imap.free.fr"),
        quirks: user_name(UserNameForm::LocalPart),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::LaPoste,
        name: "La Poste",
        login_hosts: &["laposte.net"],
        exchangers: &[hosts("smtpz4.", "laposte.net")],
        presets: preset_hosts("smtp.laposte.net", "imap.laposte.net"),
        quirks: user_name(UserNameForm::LocalPart),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::WirtualnaPolska,
        name: "WP",
        login_hosts: &["wp.pl"],
        exchangers: &[hosts("mx.", "wp.pl")],
        presets: preset_hosts("smtp.wp.pl", "imap.wp.pl"),
        quirks: user_name(UserNameForm::LocalPart),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::WirtualnaPolska,
        name: "o2",
        login_hosts: &["o2.pl"],
        exchangers: &[hosts("mx.", "o2.pl")],
        presets: preset_hosts("poczta.o2.pl", "poczta.o2.pl"),
        quirks: user_name(UserNameForm::LocalPart),
        ..UNCONFIRMED
    },
];
