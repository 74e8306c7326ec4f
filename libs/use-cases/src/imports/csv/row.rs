//! From a record to a mailbox, or to the first fault of the row.

use shared_models::domain::core::EmailError;
use shared_models::domain::{EmailAddress, FailureCode, Password, Security, ServerEndpoint};

use super::columns::{Column, Header};
use super::records::{Record, trim};
use super::{Account, AccountRow, GivenCells, RowFault, spreadsheet};

const DEFAULT_SMTP_PORT: u16 = 587;
const DEFAULT_IMAP_PORT: u16 = 993;
/// In characters; the limit of the dialects, too.
const MAX_PASSWORD: usize = 1024;
const MAX_NAME: usize = 255;
/// Upper bound of a shown address, in characters.
const MAX_EMAIL: usize = 254;
/// Upper bound of a kept cell, in characters.
const MAX_GIVEN: usize = 255;

/// The mailbox of a record.
pub(super) fn account_row(record: &Record, header: &Header) -> AccountRow {
    let cell = |column| header.position(column).and_then(|index| record.get(index)).unwrap_or_default();
    let line = record.line();
    if record.filled() > header.len() || record.len() < header.least() {
        let email = address_before_password(cell(Column::Email), header);
        return AccountRow { line, email, cells: None, account: Err(misaligned(record, header)) };
    }
    let value = |column| spreadsheet::plain(trim(cell(column)));
    let values = GivenCells {
        email: value(Column::Email),
        smtphost: value(Column::SmtpHost),
        smtpport: value(Column::SmtpPort),
        smtpsecure: value(Column::SmtpSecure),
        imaphost: value(Column::ImapHost),
        imapport: value(Column::ImapPort),
        imapsecure: value(Column::ImapSecure),
        displayname: value(Column::DisplayName),
    };
    if is_mixed_up(record, &values.email) {
        return AccountRow { line, email: String::new(), cells: None, account: Err(mixed_up()) };
    }
    let account = account(&values, cell(Column::Password));
    let email = EmailAddress::parse(&values.email)
        .map_or_else(|_| shown(&values.email, MAX_EMAIL), |email| email.as_str().to_owned());
    AccountRow { line, email, cells: Some(for_people(&values)), account }
}

/// True if another cell than that of the address has an address: the cell of the address may hold the password then.
fn is_mixed_up(record: &Record, email: &str) -> bool {
    let has_address = |index| record.get(index).is_some_and(|cell| EmailAddress::parse(trim(cell)).is_ok());
    !email.contains('@') && (0..record.len()).any(has_address)
}

fn mixed_up() -> RowFault {
    let remedy =
        "The column email has no address, and another column has one. Put the cells in the order of the header.";
    fault(FailureCode::CfgRowMisaligned, "Invalid email address", remedy.to_owned())
}

/// The address of a row that does not fit the header, if its column precedes that of the password. Behind it, the text
/// could be a shifted password.
fn address_before_password(cell: &str, header: &Header) -> String {
    let before = header.position(Column::Email) < header.position(Column::Password);
    let email = EmailAddress::parse(&spreadsheet::plain(trim(cell))).ok().filter(|_| before);
    email.map(|email| email.as_str().to_owned()).unwrap_or_default()
}

fn misaligned(record: &Record, header: &Header) -> RowFault {
    let name = match header.separator {
        ';' => "semicolon",
        '\t' => "tab",
        _ => "comma",
    };
    let cells = if record.filled() > header.len() { record.filled() } else { record.len() };
    let remedy = format!(
        "The row has {cells} cell{} and the header line {}. Put each value with a {name} in it in quotation marks, and \
         give each column its cell.",
        if cells == 1 { "" } else { "s" },
        header.len()
    );
    fault(FailureCode::CfgRowMisaligned, "Wrong number of columns", remedy)
}

fn account(values: &GivenCells, password_cell: &str) -> Result<Account, RowFault> {
    let email = email(&values.email)?;
    for (text, column) in [(values.smtphost.as_str(), Column::SmtpHost), (password_cell, Column::Password)] {
        if text.is_empty() {
            return Err(missing("Missing SMTP host or password", column));
        }
    }
    check_host(&values.smtphost, Column::SmtpHost)?;
    let password = password(password_cell)?;
    if values.imaphost.is_empty() {
        return Err(missing("Missing IMAP host", Column::ImapHost));
    }
    check_host(&values.imaphost, Column::ImapHost)?;
    let smtp_port = port(&values.smtpport, Column::SmtpPort, DEFAULT_SMTP_PORT)?;
    let imap_port = port(&values.imapport, Column::ImapPort, DEFAULT_IMAP_PORT)?;
    let smtp_security = security(&values.smtpsecure, Column::SmtpSecure, Security::Opportunistic)?;
    let imap_security = security(&values.imapsecure, Column::ImapSecure, Security::Required)?;
    let display_name = display_name(&values.displayname, &email)?;
    let endpoint = |host: &str, port, security, column| {
        ServerEndpoint::parse(host, port, security).map_err(|error| bad_host(&error.to_string(), column))
    };
    Ok(Account {
        smtp: endpoint(&values.smtphost, smtp_port, smtp_security, Column::SmtpHost)?,
        imap: endpoint(&values.imaphost, imap_port, imap_security, Column::ImapHost)?,
        email,
        display_name,
        password,
    })
}

fn email(text: &str) -> Result<EmailAddress, RowFault> {
    EmailAddress::parse(text).map_err(|error| match error {
        EmailError::Empty => missing("Invalid email address", Column::Email),
        _ => {
            let remedy = format!("Correct the column email: the address {error}.");
            fault(FailureCode::CfgEmailInvalid, "Invalid email address", remedy)
        }
    })
}

/// Checks a host before the ports are read, without which there is no [`ServerEndpoint`].
fn check_host(text: &str, column: Column) -> Result<(), RowFault> {
    let endpoint = ServerEndpoint::parse(text, DEFAULT_SMTP_PORT, Security::Required);
    endpoint.map(|_| ()).map_err(|error| bad_host(&error.to_string(), column))
}

fn bad_host(why: &str, column: Column) -> RowFault {
    let error = if column == Column::SmtpHost { "Invalid SMTP host" } else { "Invalid IMAP host" };
    fault(FailureCode::CfgHostInvalid, error, format!("Correct the column {}: it {why}.", column.name()))
}

/// A password is never trimmed.
fn password(cell: &str) -> Result<Password, RowFault> {
    let why = if cell.chars().any(char::is_control) {
        "must not have line breaks, tabs or other control characters".to_owned()
    } else if cell.chars().count() > MAX_PASSWORD {
        format!("must have at most {MAX_PASSWORD} characters")
    } else {
        return Ok(Password::new(cell));
    };
    Err(fault(FailureCode::CfgValueInvalid, "Invalid password", format!("Correct the column password: it {why}.")))
}

fn port(text: &str, column: Column, default: u16) -> Result<u16, RowFault> {
    if text.is_empty() {
        return Ok(default);
    }
    let digits = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).filter(|port| *port != 0).ok_or_else(|| {
        let remedy =
            format!("Write a number from 1 to 65535 into the column {}, or nothing for {default}.", column.name());
        fault(FailureCode::CfgPortInvalid, "Invalid port", remedy)
    })
}

fn security(text: &str, column: Column, default: Security) -> Result<Security, RowFault> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(default),
        "true" | "1" | "yes" => Ok(Security::Required),
        "false" | "0" | "no" => Ok(Security::Opportunistic),
        _ => {
            let usual = default == Security::Required;
            let remedy = format!("Write true or false into the column {}, or nothing for {usual}.", column.name());
            Err(fault(FailureCode::CfgValueInvalid, &format!("Invalid {} value", column.name()), remedy))
        }
    }
}

fn display_name(text: &str, email: &EmailAddress) -> Result<String, RowFault> {
    if text.is_empty() {
        return Ok(email.local_part().to_owned());
    }
    let why = if text.chars().any(char::is_control) {
        "must not have line breaks or other control characters".to_owned()
    } else if text.chars().count() > MAX_NAME {
        format!("must have at most {MAX_NAME} characters")
    } else {
        return Ok(text.to_owned());
    };
    let remedy = format!("Correct the column displayname: it {why}.");
    Err(fault(FailureCode::CfgValueInvalid, "Invalid display name", remedy))
}

fn missing(error: &str, column: Column) -> RowFault {
    fault(FailureCode::CfgFieldMissing, error, format!("Fill in the column {}.", column.name()))
}

fn fault(code: FailureCode, error: &str, remedy: String) -> RowFault {
    RowFault { code, error: error.to_owned(), remedy }
}

fn for_people(values: &GivenCells) -> GivenCells {
    GivenCells {
        email: shown(&values.email, MAX_GIVEN),
        smtphost: shown(&values.smtphost, MAX_GIVEN),
        smtpport: shown(&values.smtpport, MAX_GIVEN),
        smtpsecure: shown(&values.smtpsecure, MAX_GIVEN),
        imaphost: shown(&values.imaphost, MAX_GIVEN),
        imapport: shown(&values.imapport, MAX_GIVEN),
        imapsecure: shown(&values.imapsecure, MAX_GIVEN),
        displayname: shown(&values.displayname, MAX_GIVEN),
    }
}

fn shown(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}
