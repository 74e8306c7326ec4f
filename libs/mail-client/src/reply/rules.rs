//! The table of replies of known servers and the failures that they mean. The first rule that matches counts, so rules
//! that name a text come before rules that only name a class of replies. The replies quoted in comments were seen at
//! real servers unless marked (synthetic). `fixtures/replies.jsonl` holds them as tests.

use shared_models::domain::FailureCode::{self, *};
use shared_models::domain::diagnosis::Class::{self, Permanent, Temporary, Warning};
use shared_models::domain::diagnosis::Leg;
use shared_models::domain::diagnosis::Stage::{self, *};
use shared_models::domain::diagnosis::known_providers::Operator;

use crate::reply::response::Status;

/// The form of the replies that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    /// An SMTP reply code in this range, both ends included.
    Smtp(u16, u16),
    /// An IMAP status word.
    Imap(Status),
    /// An IMAP status word, and no response code in brackets.
    ImapWithoutCode(Status),
    /// At least one of these IMAP response codes.
    ImapCode(&'static [&'static str]),
}

/// A row of the table: conditions, of which empty lists and `None` match anything, and the failure.
pub(crate) struct Rule {
    pub(crate) leg: Option<Leg>,
    pub(crate) stages: &'static [Stage],
    pub(crate) operators: &'static [Operator],
    pub(crate) shape: Shape,
    /// Lower-case parts of the text, one of which must occur.
    pub(crate) texts: &'static [&'static str],
    pub(crate) code: FailureCode,
    /// `None` = that of the code.
    pub(crate) class: Option<Class>,
    /// `None` = that of the code.
    pub(crate) remedy: Option<&'static str>,
}

const fn when(shape: Shape, texts: &'static [&'static str], code: FailureCode) -> Rule {
    Rule { leg: None, stages: &[], operators: &[], shape, texts, code, class: None, remedy: None }
}

const fn text(texts: &'static [&'static str], code: FailureCode) -> Rule {
    when(Shape::Any, texts, code)
}

impl Rule {
    const fn at(mut self, stages: &'static [Stage]) -> Self {
        self.stages = stages;
        self
    }

    const fn by(mut self, operators: &'static [Operator]) -> Self {
        self.operators = operators;
        self
    }

    const fn on(mut self, leg: Leg) -> Self {
        self.leg = Some(leg);
        self
    }

    const fn class(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }

    const fn says(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }
}

const SMTP_4YZ: Shape = Shape::Smtp(400, 499);
const SMTP_5YZ: Shape = Shape::Smtp(500, 599);
const NO: Shape = Shape::Imap(Status::No);
const BAD: Shape = Shape::Imap(Status::Bad);
const BYE: Shape = Shape::Imap(Status::Bye);

#[rustfmt::skip]
pub(crate) const RULES: &[Rule] = &[
    // ---- Texts that mean one thing wherever they stand ----

    // 534-5.7.9 Application-specific password required. Learn more at https://support.google.com/mail/?p=InvalidSecondFactor
    // NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)
    text(&["application-specific password required", "invalidsecondfactor"], AuthAppPasswordRequired)
        .says("Google wants an app password: turn on 2-Step Verification, create one at myaccount.google.com/apppasswords and paste the 16 letters here."),
    // 535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / Application password is REQUIRED
    text(&["neobhodim parol prilozheniya", "application password is required"], AuthAppPasswordRequired)
        .says("Create a \"password for external application\" in Mail.ru's security settings and use it."),
    // 535 Login Fail. Please enter your authorization code to login.
    text(&["authorization code to login", "enter your authorization code"], AuthAppPasswordRequired)
        .says("Enable IMAP/SMTP in the web settings and use the authorisation code shown there, not your password."),
    // 534-5.7.14 <https://accounts.google.com/signin/continue?...> Please log in via your web browser and then try again.
    // NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)
    // * NO [WEBALERT https://accounts.google.com/signin/continue?...] Web login required.
    text(&["log in via your web browser", "log in with your web browser", "web login required", "[webalert"], AuthWebLoginRequired),
    // 535 5.7.139 Authentication unsuccessful, basic authentication is disabled.
    // NO Basic authentication is disabled.
    // 550 5.7.30 Basic authentication is not supported for Client Submission.
    text(&["basic authentication is disabled", "basic authentication is not supported"], PolicyBasicAuthDisabled),
    // 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.
    // 530 5.7.57 Client not authenticated to send mail.
    text(&["smtpclientauthentication is disabled", "5.7.57 client not authenticated", "5.7.57 smtp; client was not authenticated"], PolicySmtpAuthDisabled),
    // 535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.
    text(&["security defaults policy"], PolicySecurityDefaults),
    // 535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.
    text(&["did not meet the criteria to be authenticated"], PolicyConditionalAccess),
    // 535 5.7.139 Authentication unsuccessful, account locked
    // NO [UNAVAILABLE] Your account has been suspended
    // 535 Authentication failed: account disabled
    text(&["account locked", "account is locked", "account has been locked", "account suspended", "account is suspended", "account has been suspended",
        "account disabled", "account is disabled", "account has been disabled"], AuthAccountLocked),
    // 535 5.7.139 Authentication unsuccessful, the password has expired. (synthetic)
    text(&["password has expired", "password expired", "password is expired"], AuthPasswordExpired),
    when(Shape::ImapCode(&["EXPIRED"]), &[], AuthPasswordExpired), // RFC 5530
    // NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)
    // NO [ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)
    text(&["not enabled for imap use", "yet to enable imap"], PolicyImapDisabled),
    // NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator for questions about this feature. (Failure)
    text(&["imap access is disabled for your domain"], PolicyImapDisabledAdmin),
    // NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled
    text(&["or imap is disabled"], PolicyImapDisabledLikely),
    // 535 5.7.8 Error: authentication failed: This user does not have access rights to this service
    text(&["does not have access rights to this service"], PolicyClientAccessDisabled)
        .says("Tick \"mail clients: imap.yandex.com, app passwords\" in Yandex Mail settings > Email clients."),
    // NO [ALERT] country blocked
    text(&["country blocked"], PolicyGeoBlocked),
    // BAD User is authenticated but not connected.
    text(&["authenticated but not connected"], AuthOkNotConnected),
    // NO SELECT Unsafe Login. Please contact kefu@188.com for help
    text(&["unsafe login"], PolicyClientIdRequired),

    // 454 4.7.0 Too many login attempts, please try again later.
    // 535 5.7.0 (#AUTH005) Too many bad auth attempts.
    // 535 5.7.0 Login Rate Limit Hit
    text(&["too many login attempts", "too many bad auth", "#auth005", "login rate limit", "too many failed login", "too many authentication failures"], LimitLoginRate)
        .class(Temporary),
    // NO [ALERT] Too many simultaneous connections. (Failure)
    // NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)
    // 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.
    // 432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded
    // 421 4.7.0 mail.example.com Error: too many connections from 192.0.2.1
    text(&["too many simultaneous connections", "too many concurrent", "maximum number of connections", "concurrent connections limit", "sender thread limit exceeded", "too many connections"],
        LimitConnections).class(Temporary),
    // BAD Request is throttled. Suggested Backoff Time: 299998 milliseconds
    text(&["request is throttled"], LimitServerBusy).class(Temporary),
    // 454 4.7.0 Temporary authentication failure
    // NO Temporary authentication failure (rate-limit)
    // NO [UNAVAILABLE] Temporary authentication failure.
    text(&["temporary authentication failure", "temporary authentication problem"], LimitAuthBackend).class(Temporary),
    // NO [ALERT] Account exceeded command or bandwidth limits (synthetic)
    text(&["bandwidth limit"], LimitBandwidth),
    // 550 5.4.5 Daily user sending limit exceeded. (synthetic)
    // 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException
    text(&["550 5.4.5", "sending limit exceeded", "submissionquotaexceeded", "550 5.7.1 quota", "sending quota", "message quota"], LimitSendQuota).class(Temporary),

    // ---- Greeting ----

    // 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
    // 554 mail.example.com Access denied
    when(Shape::Smtp(400, 599), &["blocked using", "spamhaus", "client host", "access denied", "blacklist", "blocklist", "denylist", "bad reputation", "low reputation", "has been blocked",
        // 421 4.7.0 [192.0.2.1 15] Our system has detected an unusual rate of ...
        "421 4.7.0 [", "our system has detected"], NetWeAreBlocked).at(&[Connect, Greeting, Capability]),
    // 421 4.3.0 Temporary System Problem / 421 4.4.5 Server busy, try again later / 421 4.7.0 Try again later, closing connection
    when(SMTP_4YZ, &["4.3.0", "4.4.5", "4.7.0", "temporary system problem", "server busy", "try again later"], LimitServerBusy).at(&[Connect, Greeting]),
    // 421 4.3.2 Service not available, closing transmission channel
    when(SMTP_4YZ, &[], ProtoGreetingRefused).at(&[Connect, Greeting]),
    // 554 No SMTP service here
    when(SMTP_5YZ, &[], ProtoGreetingRefused).at(&[Connect, Greeting]).class(Permanent),
    // * BYE Disconnected for inactivity / * BYE IMAP service not available
    when(BYE, &[], ProtoGreetingRefused).at(&[Connect, Greeting]),

    // ---- EHLO, CAPABILITY ----

    // 501 5.5.4 Invalid domain name / 504 5.5.2 <host>: Helo command rejected: need fully-qualified hostname
    // 550 5.7.1 Helo command rejected: Host not found (synthetic)
    when(SMTP_5YZ, &["helo", "ehlo", "hostname", "host name", "domain name", "reverse dns"], ProtoHeloRefused).at(&[Capability]),
    when(Shape::Smtp(501, 501), &[], ProtoHeloRefused).at(&[Capability]),
    when(Shape::Smtp(504, 504), &[], ProtoHeloRefused).at(&[Capability]),
    when(Shape::Smtp(550, 550), &[], ProtoHeloRefused).at(&[Capability]),
    when(SMTP_4YZ, &[], LimitServerBusy).at(&[Capability]),
    when(Shape::Smtp(554, 554), &[], ProtoGreetingRefused).at(&[Capability]).class(Permanent),
    // 502 5.5.2 Error: command not recognized
    when(SMTP_5YZ, &[], ProtoUnexpected).at(&[Capability]),
    when(BYE, &[], ImapSessionEnded).at(&[Capability, Starttls]),
    // BAD to CAPABILITY
    when(Shape::Any, &[], ProtoUnexpected).at(&[Capability]),

    // ---- STARTTLS ----

    // 454 4.7.0 TLS not available due to local problem
    when(SMTP_4YZ, &[], TlsStarttlsFailed).at(&[Starttls]).class(Temporary),
    when(Shape::ImapCode(&["UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG"]), &[], TlsStarttlsFailed).at(&[Starttls]).class(Temporary),
    // 500 5.3.3 Unrecognized command, after advertising it
    when(Shape::Any, &[], TlsStarttlsFailed).at(&[Starttls]).class(Permanent),

    // ---- Signing in: conditions other than the password ----

    // 530 5.7.0 Must issue a STARTTLS command first
    // 530 5.7.7 Email sending without SSL/TLS encryption is not allowed
    // 538 5.7.11 Encryption required for requested authentication mechanism
    when(SMTP_5YZ, &["starttls", "without ssl/tls", "encryption required", "requires encryption", "5.7.11"], TlsRequired).at(&[Auth, Envelope]),
    when(Shape::ImapCode(&["PRIVACYREQUIRED"]), &[], TlsRequired),
    // 503 AUTH command used when not advertised / 503 5.5.1 Error: authentication not enabled
    when(Shape::Smtp(502, 504), &[], AuthMechUnavailable).at(&[Auth]), // 504 5.7.4 Unrecognized authentication type
    when(Shape::Smtp(500, 500), &[], AuthMechUnavailable).at(&[Auth]),
    when(SMTP_5YZ, &["unrecognized authentication type", "mechanism not supported", "authentication not enabled", "authentication is not enabled"], AuthMechUnavailable).at(&[Auth]),
    // BAD [CLIENTBUG] AUTHENTICATE Invalid sasl argument. sc=...
    when(BAD, &["sasl argument", "[clientbug]"], ProtoSaslArgument).at(&[Auth]),
    when(Shape::Smtp(501, 501), &[], ProtoSaslArgument).at(&[Auth]),
    // NO [INUSE] / NO [SERVERBUG] / NO [LIMIT]
    when(Shape::ImapCode(&["INUSE", "SERVERBUG", "LIMIT"]), &[], LimitServerBusy),
    when(Shape::ImapCode(&["UNAVAILABLE"]), &[], LimitAuthBackend).at(&[Auth]),
    when(Shape::ImapCode(&["UNAVAILABLE"]), &[], LimitServerBusy),
    when(NO, &["[overquota]"], LimitBandwidth).at(&[Auth, PostAuth]), // (synthetic)
    // * BYE Session expired, please login again.
    when(BYE, &[], ImapSessionEnded).at(&[Auth, PostAuth]),
    // 550 5.7.1 Client host [192.0.2.1] blocked
    when(SMTP_5YZ, &["blocked using", "spamhaus", "client host"], NetWeAreBlocked).at(&[Auth]),
    when(Shape::Smtp(454, 454), &[], LimitAuthBackend).at(&[Auth]),
    // 421 4.7.0 Try again later, closing connection / 451 4.3.0 Temporary lookup failure
    when(SMTP_4YZ, &[], LimitServerBusy).at(&[Auth, PostAuth]),

    // ---- Signing in: the plain refusal, which means something else at some providers ----

    // NO AUTHENTICATE failed. / NO LOGIN failed. At Microsoft the password was not checked.
    when(Shape::ImapWithoutCode(Status::No), &[], PolicyBasicAuthDisabled).at(&[Auth]).by(&[Operator::Microsoft]),
    // 535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.
    // 535 5.7.3 Authentication unsuccessful
    when(Shape::Any, &[], AuthBadCredentials).at(&[Auth]).by(&[Operator::Microsoft]),
    // NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials
    when(Shape::Any, &[], AuthAppPasswordLikely).at(&[Auth]).by(&[Operator::Yahoo])
        .says("{provider} accepts only an app password: Account security > Generate app password."),
    // 535 5.7.8 Error: authentication failed / NO [AUTHENTICATIONFAILED] Authentication failed
    when(Shape::Any, &[], AuthAppPasswordLikely).at(&[Auth]).by(&[Operator::ICloud])
        .says("Create an app-specific password at appleid.apple.com (Sign-In and Security) and use your @icloud.com name even for a custom domain (for IMAP the part before the @ alone may be needed)."),
    when(Shape::Any, &[], PolicyImapDisabledLikely).at(&[Auth]).by(&[Operator::Gmx]).on(Leg::Imap),
    when(Shape::Any, &[], PolicyPlanWithoutClientAccess).at(&[Auth]).by(&[Operator::Tuta]),
    when(Shape::Any, &[], PolicyPlanWithoutClientAccess).at(&[Auth]).by(&[Operator::Proton])
        .says("Proton Mail accepts only an SMTP token here, which paid plans create under Settings > IMAP/SMTP > SMTP tokens; or use its bridge."),
    when(Shape::Any, &[], AuthAppPasswordLikely).at(&[Auth]).by(&[Operator::Fastmail, Operator::Zoho, Operator::TOnline, Operator::Gmx, Operator::Yandex])
        .says("{provider} needs an app password created in its security settings."),
    // 535 5.7.8 Error: authentication failed (Postfix) / 535 Incorrect authentication data (Exim)
    // 535-5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials
    when(SMTP_5YZ, &[], AuthBadCredentials).at(&[Auth]),
    // NO [AUTHENTICATIONFAILED] Authentication failed. (Dovecot) / NO [AUTHENTICATIONFAILED] Invalid credentials (Failure) (Gmail)
    when(NO, &[], AuthBadCredentials).at(&[Auth]),
    when(BAD, &["password", "credential", "login failed", "authentication failed", "invalid user"], AuthBadCredentials).at(&[Auth]),
    when(Shape::Any, &[], ProtoUnexpected).at(&[Auth]),

    // ---- After sign-in ----

    when(SMTP_5YZ, &[], ProtoUnexpected).at(&[PostAuth]),
    when(NO, &[], ImapInboxUnavailable).at(&[PostAuth]),
    when(BAD, &[], ImapInboxUnavailable).at(&[PostAuth]),

    // ---- Envelope: MAIL, RCPT, DATA ----

    // 450 4.7.1 <a@b>: Recipient address rejected: Greylisted / 451 4.7.1 Greylisting in action
    when(SMTP_4YZ, &["greylist", "graylist", "grey-list"], LimitGreylisted).at(&[Envelope]),
    // 450 4.7.1 <END-OF-MESSAGE>: End-of-data rejected: Number messages per hour exceeded. Error:RATE_MSG
    // 5.7.1 <DATA>: Data command rejected: only 10 messages per day
    // 550 send spam mail rejected: exceeded hour limit
    // 550 sorry, too many emails (#5.7.1)
    // 554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; ... WASCL UserAction verdict is not None. Actual verdict is RefuseQuota, ShowTierUpgrade.
    when(Shape::Smtp(400, 599), &["messages per hour", "messages per day", "exceeded hour limit", "too many emails", "verdict is refusequota"], LimitSendQuota)
        .at(&[Envelope]).class(Temporary),
    when(SMTP_4YZ, &[], LimitServerBusy).at(&[Envelope]),
    // 553 5.7.1 <a@b>: Sender address rejected: not owned by user
    // 501 mail from address must be same as authorization user
    // 550 5.7.60 SMTP; Client does not have permissions to send as this sender
    // 554 5.2.252 SendAsDenied
    // 553 Mail from must equal authorized user
    // 550 5.7.0 From address is not one of your addresses.
    // 550-Requested action not taken: mailbox unavailable / 550 Sender address is not allowed.
    // 5.1.0 Sender is not allowed to send from gmail.com (R2)
    // 550 Invalid From address
    // 553 5.7.1 <a@b>: Sender address rejected: not logged in
    when(SMTP_5YZ, &["not owned by", "must be same as authorization user", "permissions to send as this sender", "sendasdenied",
        "must equal authorized user", "not one of your addresses", "sender address is not allowed", "sender is not allowed to send from", "invalid from address",
        "sender address rejected: not logged in"],
        SendFromNotOwned).at(&[Envelope]),
    // 553 5.1.8 <a@b>: Sender address rejected: Domain not found (synthetic)
    when(SMTP_5YZ, &["sender address rejected"], SendFromNotOwned).at(&[Envelope])
        .says("The server refuses {from} as the sender of mails."),
    // 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org. Postfix says so at RCPT. (synthetic)
    when(SMTP_5YZ, &["client host"], NetWeAreBlocked).at(&[Envelope]),
    // 554 5.7.1 Relay access denied / 550 relay not permitted / 553 Relaying disallowed (synthetic)
    when(SMTP_5YZ, &["relay"], SendRelayDenied).at(&[Envelope]),
    when(Shape::Smtp(530, 530), &["authentication required"], SendRelayDenied).at(&[Envelope]), // RFC 4954
    // 550 5.4.6 Unusual sending activity detected (synthetic) / 550 5.1.8 Access denied, bad outbound sender (synthetic)
    // 554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; ... Actual verdict is HipNotify, ShowTierUpgrade.
    when(SMTP_5YZ, &["unusual sending activity", "bad outbound sender", "outboundspamexception"], SendAccountBlocked).at(&[Envelope]),
    // 577 5.1.1 <email@invalid.com>
    when(SMTP_5YZ, &[], SendTestRecipientRefused).at(&[Envelope]).class(Warning),
];
