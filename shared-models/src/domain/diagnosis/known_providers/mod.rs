//! Known mail providers: one table for everything that depends on the company behind a mail host.
//!
//! The login check reads the rules of signing in from it (which hosts only receive mail, which form of user name is
//! wanted). The DNS check reads what a customer's domain must publish. Discovery reads the settings for an address.
//!
//! Only facts that a provider's help page, a Domain-Connect template or ISPDB confirms are here, all as of autumn
//! 2026. A provider that is missing is treated as the customer's own server.
//!
//! Not here: replies of servers and their meaning (the rules of the login check), and the label that a customer gives
//! to a mailbox ([`ProviderLabel`](crate::domain::mailboxes::ProviderLabel)).

mod lookup;
mod sign_in;
mod spelling;
mod table;

pub use spelling::suggested_host;

/// The company that runs the servers, and therefore decides their rules. Several names can be sold on one platform:
/// AOL and AT&T are Yahoo's, WEB.DE is GMX's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of the companies")]
pub enum Operator {
    Fastmail,
    Free,
    Gmx,
    GoDaddy,
    Google,
    Hostinger,
    ICloud,
    LaPoste,
    MailRu,
    Microsoft,
    Namecheap,
    NetEase,
    Ovh,
    Proton,
    Qq,
    Rackspace,
    SendGrid,
    Titan,
    TOnline,
    Tuta,
    WirtualnaPolska,
    Yahoo,
    Yandex,
    Zoho,
}

/// One row of the table. A region with host names of its own is a row of its own, with the same `operator` and `name`.
///
/// An empty list or `None` means "not confirmed", never "there is none".
#[derive(Debug, PartialEq, Eq)]
pub struct KnownProvider {
    /// Rows of one operator follow the same rules; compare this, never `name`.
    pub operator: Operator,
    /// The name as end users know it, for sentences.
    pub name: &'static str,
    /// Domains whose hosts follow the operator's rules of signing in: each domain itself and every host below it.
    ///
    /// Wider than `customer_hosts`: hosts such as `smtp-mail.outlook.com` serve addresses in the operator's own domains,
    /// and say nothing about the DNS of a customer's domain.
    pub login_hosts: &'static [&'static str],
    /// Hosts that only receive mail, so that nobody can sign in there.
    ///
    /// Narrower than `mx_domains`, because hosts that people entered are compared with it. Hosts for mail programs can be
    /// in the same domains, such as `imap.secureserver.net`.
    pub exchangers: &'static [HostPattern],
    /// The settings to enter in a mail program.
    pub presets: Option<Presets>,
    /// Submission and IMAP hosts that a customer with a domain of their own uses, or the domains above them. Such a
    /// domain has to name the operator in its MX, SPF and DKIM records.
    pub customer_hosts: &'static [&'static str],
    /// Domains that the targets of the customers' MX records are in.
    pub mx_domains: &'static [&'static str],
    /// The first MX record to publish. `None` also where each customer gets a host of their own.
    pub mx_to_publish: Option<MxToPublish>,
    /// One of these must be included in the SPF record; the first is the one to recommend.
    pub spf_includes: &'static [&'static str],
    /// Usual DKIM selectors, most usual first.
    pub dkim_selectors: &'static [&'static str],
    /// Deviations from what servers usually accept at signing in.
    pub quirks: Quirks,
}

/// Host names by how they begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// First characters; empty if they do not matter.
    pub start: &'static str,
    /// Last characters, which do not overlap `start`.
    pub end: &'static str,
}

/// The settings for mail programs, by protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "one for each protocol")]
pub struct Presets {
    pub smtp: Preset,
    pub imap: Preset,
}

/// The way to reach a mailbox by one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The host to enter in a mail program.
    Host(&'static str),
    /// There is no host: mail is read or sent only through this program, named so that it fits after "use".
    Program(&'static str),
}

/// The MX record that a customer publishes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MxToPublish {
    /// Preference value of the record (RFC 5321 section 5.1).
    pub priority: u16,
    /// Host, in which `{domain}` is the customer's domain with dashes for dots.
    pub host: &'static str,
}

/// Deviations from what servers usually accept at signing in with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Form of the user name for SMTP.
    pub smtp_user_name: UserNameForm,
    /// Form of the user name for IMAP.
    pub imap_user_name: UserNameForm,
    /// App passwords are 16 letters, shown in groups with spaces that are not part of them.
    pub app_password_in_groups: bool,
}

/// The user name that a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNameForm {
    /// Both are accepted, or it is not known.
    Any,
    /// The whole address, with its domain.
    FullAddress,
    /// The part of the address before the `@`.
    LocalPart,
}

#[cfg(test)]
mod tests;
