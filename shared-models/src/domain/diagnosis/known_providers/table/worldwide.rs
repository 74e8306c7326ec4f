//! Mailboxes for everybody, in many countries.

use super::{
    APP_PASSWORD_IN_GROUPS, KnownProvider, Operator, Preset, Presets, Quirks, UNCONFIRMED, UserNameForm, hosts,
    preset_hosts, publish, user_name,
};

pub(super) static ROWS: &[KnownProvider] = &[
    KnownProvider {
        operator: Operator::Google,
        name: "Google",
        login_hosts: &["gmail.com", "googlemail.com", "google.com"],
        exchangers: &[
            hosts("", "aspmx.l.google.com"),
            hosts("aspmx", ".googlemail.com"),
            hosts("", "gmail-smtp-in.l.google.com"),
            hosts("", "smtp.google.com"),
        ],
        presets: preset_hosts("smtp.gmail.com", "imap.gmail.com"),
        customer_hosts: &["smtp.gmail.com", "smtp-relay.gmail.com", "imap.gmail.com"],
        mx_domains: &["google.com", "googlemail.com"],
        mx_to_publish: publish(1, "aspmx.l.google.com"),
        spf_includes: &["_spf.google.com"],
        dkim_selectors: &["google"],
        quirks: APP_PASSWORD_IN_GROUPS,
    },
    KnownProvider {
        operator: Operator::Microsoft,
        name: "Microsoft",
        login_hosts: &["office365.com", "outlook.com", "hotmail.com", "live.com", "office.com"],
        exchangers: &[hosts("", ".protection.outlook.com"), hosts("", ".mx.microsoft")],
        presets: preset_hosts("smtp.office365.com", "outlook.office365.com"),
        customer_hosts: &["smtp.office365.com", "outlook.office365.com"],
        mx_domains: &["mail.protection.outlook.com"],
        mx_to_publish: publish(0, "{domain}.mail.protection.outlook.com"),
        spf_includes: &["spf.protection.outlook.com"],
        dkim_selectors: &["selector1", "selector2"],
        quirks: user_name(UserNameForm::FullAddress),
    },
    KnownProvider {
        operator: Operator::Yahoo,
        name: "Yahoo",
        login_hosts: &["mail.yahoo.com", "yahoo.com"],
        exchangers: &[hosts("mta", ".yahoodns.net"), hosts("mx-", ".yahoodns.net")],
        presets: preset_hosts("smtp.mail.yahoo.com", "imap.mail.yahoo.com"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Yahoo,
        name: "AOL",
        login_hosts: &["aol.com"],
        exchangers: &[hosts("mx-aol", ".yahoodns.net")],
        presets: preset_hosts("smtp.aol.com", "imap.aol.com"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Yahoo,
        name: "AT&T",
        login_hosts: &["mail.att.net", "att.net"],
        exchangers: &[hosts("al-ip4-mx", ".prodigy.net"), hosts("ff-ip4-mx", ".prodigy.net")],
        presets: preset_hosts("smtp.mail.att.net", "imap.mail.att.net"),
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::ICloud,
        name: "iCloud",
        login_hosts: &["mail.me.com", "mail.icloud.com"],
        exchangers: &[hosts("mx", ".mail.icloud.com")],
        presets: preset_hosts("smtp.mail.me.com", "imap.mail.me.com"),
        customer_hosts: &["smtp.mail.me.com", "imap.mail.me.com"],
        mx_domains: &["mail.icloud.com"],
        dkim_selectors: &["sig1"],
        // IMAP accepts the name alone, too.
        quirks: Quirks { smtp_user_name: UserNameForm::FullAddress, ..UNCONFIRMED.quirks },
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Fastmail,
        name: "Fastmail",
        login_hosts: &["fastmail.com", "messagingengine.com"],
        exchangers: &[hosts("in1-smtp", ".messagingengine.com"), hosts("in2-smtp", ".messagingengine.com")],
        presets: preset_hosts("smtp.fastmail.com", "imap.fastmail.com"),
        customer_hosts: &["smtp.fastmail.com", "imap.fastmail.com"],
        mx_domains: &["messagingengine.com"],
        mx_to_publish: publish(10, "in1-smtp.messagingengine.com"),
        spf_includes: &["spf.messagingengine.com"],
        dkim_selectors: &["fm1", "fm2", "fm3"],
        quirks: user_name(UserNameForm::FullAddress),
    },
    KnownProvider {
        operator: Operator::Proton,
        name: "Proton Mail",
        login_hosts: &["protonmail.ch", "proton.me"],
        exchangers: &[hosts("mail.", "protonmail.ch"), hosts("mailsec.", "protonmail.ch")],
        presets: Some(Presets {
            smtp: Preset::Host("smtp.protonmail.ch"),
            imap: Preset::Program("its Bridge program"),
        }),
        customer_hosts: &["smtp.protonmail.ch"],
        mx_domains: &["protonmail.ch"],
        mx_to_publish: publish(10, "mail.protonmail.ch"),
        spf_includes: &["_spf.protonmail.ch"],
        dkim_selectors: &["protonmail", "protonmail2", "protonmail3"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Tuta,
        name: "Tuta",
        login_hosts: &["tutanota.com", "tutanota.de", "tuta.com"],
        exchangers: &[hosts("mail.", "tutanota.de")],
        presets: Some(Presets { smtp: Preset::Program("its own programs"), imap: Preset::Program("its own programs") }),
        ..UNCONFIRMED
    },
];

/// The fields that all regions share. The presets are those of one region, as the login check has always named them,
/// although an account exists in one region only.
const ZOHO_REGION: KnownProvider = KnownProvider {
    operator: Operator::Zoho,
    name: "Zoho",
    presets: preset_hosts("smtp.zoho.com", "imap.zoho.com"),
    ..UNCONFIRMED
};

macro_rules! zoho {
    ($tld:literal) => {
        KnownProvider {
            login_hosts: &[concat!("zoho.", $tld)],
            exchangers: &[hosts("mx", concat!(".zoho.", $tld))],
            customer_hosts: &[
                concat!("smtp.zoho.", $tld),
                concat!("smtppro.zoho.", $tld),
                concat!("imap.zoho.", $tld),
                concat!("imappro.zoho.", $tld),
            ],
            mx_domains: &[concat!("zoho.", $tld)],
            mx_to_publish: publish(10, concat!("mx.zoho.", $tld)),
            // The vendor's pages disagree; each of these lists the sending servers of the region.
            spf_includes: &[
                concat!("zohomail.", $tld),
                concat!("zoho.", $tld),
                concat!("spf.zoho.", $tld),
                concat!("one.zoho.", $tld),
            ],
            dkim_selectors: &["zmail", "zoho"],
            ..ZOHO_REGION
        }
    };
}

/// Zoho has a row for each region.
pub(super) static ZOHO: &[KnownProvider] = &[
    zoho!("com"),
    zoho!("eu"),
    zoho!("in"),
    zoho!("com.au"),
    zoho!("jp"),
    KnownProvider { login_hosts: &["zoho.sa"], ..ZOHO_REGION },
    KnownProvider { login_hosts: &["zohocloud.ca"], exchangers: &[hosts("mx", ".zohocloud.ca")], ..ZOHO_REGION },
];
