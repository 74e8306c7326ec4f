//! The rows. A new provider is one more row; a field that is not confirmed stays as in [`UNCONFIRMED`].

mod hosting;
mod regional;
mod worldwide;

use super::{HostPattern, KnownProvider, MxToPublish, Operator, Preset, Presets, Quirks, UserNameForm};

/// All rows. The first row that matches counts, which matters for Yahoo and AOL: both receive mail in `yahoodns.net`.
pub(super) static TABLE: &[&[KnownProvider]] = &[worldwide::ROWS, worldwide::ZOHO, regional::ROWS, hosting::ROWS];

/// The fields that a row does not set. Every row sets `operator` and `name`.
const UNCONFIRMED: KnownProvider = KnownProvider {
    operator: Operator::Google,
    name: "",
    login_hosts: &[],
    exchangers: &[],
    presets: None,
    customer_hosts: &[],
    mx_domains: &[],
    mx_to_publish: None,
    spf_includes: &[],
    dkim_selectors: &[],
    quirks: Quirks {
        smtp_user_name: UserNameForm::Any,
        imap_user_name: UserNameForm::Any,
        app_password_in_groups: false,
    },
};

/// Every host that begins and ends so.
const fn hosts(start: &'static str, end: &'static str) -> HostPattern {
    HostPattern { start, end }
}

const fn preset_hosts(smtp: &'static str, imap: &'static str) -> Option<Presets> {
    Some(Presets { smtp: Preset::Host(smtp), imap: Preset::Host(imap) })
}

const fn publish(priority: u16, host: &'static str) -> Option<MxToPublish> {
    Some(MxToPublish { priority, host })
}

/// No quirk but the form of the user name, for both protocols.
const fn user_name(form: UserNameForm) -> Quirks {
    Quirks { smtp_user_name: form, imap_user_name: form, ..UNCONFIRMED.quirks }
}

const APP_PASSWORD_IN_GROUPS: Quirks = Quirks { app_password_in_groups: true, ..UNCONFIRMED.quirks };
