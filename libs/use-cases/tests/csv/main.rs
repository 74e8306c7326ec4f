//! CSV files of mailboxes: a table of real files, and what a table cannot hold.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod failed_rows;
mod table;

use shared_models::domain::Security;
use use_cases::imports::csv::{AccountsFile, FileFault, MAX_ROWS, TEMPLATE, read};

/// A file of so many good rows.
fn rows(count: usize) -> String {
    let rows = (0..count).map(|n| format!("m{n}@mail.example,s3cret,smtp.mail.example,imap.mail.example\r\n"));
    format!("email,password,smtphost,imaphost\r\n{}", rows.collect::<String>())
}

fn read_text(text: &str) -> Result<AccountsFile, FileFault> {
    read(text.as_bytes(), Some(MAX_ROWS))
}

#[test]
fn at_most_so_many_rows() {
    assert_eq!(read_text(&rows(MAX_ROWS)).unwrap().rows.len(), 500);
    let blank_lines = rows(MAX_ROWS).replace("m7@", "\r\n,,,\r\nm7@");
    assert_eq!(read_text(&blank_lines).unwrap().rows.len(), 500);

    let fault = read_text(&rows(MAX_ROWS + 1)).unwrap_err();
    assert_eq!(fault, FileFault::TooManyRows { rows: 501, max: 500 });
    assert!(fault.to_string().contains("has 501 rows, and at most 500"), "{fault}");
    // Faulty rows count like others.
    let faulty = rows(MAX_ROWS) + "x\r\ny\r\n";
    assert_eq!(read_text(&faulty).unwrap_err(), FileFault::TooManyRows { rows: 502, max: 500 });

    assert_eq!(read(rows(3000).as_bytes(), None).unwrap().rows.len(), 3000);
}

#[test]
fn the_template_is_a_good_file() {
    assert!(TEMPLATE.is_ascii() && TEMPLATE.lines().count() == 3 && TEMPLATE.ends_with("\r\n"));
    let file = read_text(TEMPLATE).unwrap();
    let [dana, kim] = file.rows.try_into().unwrap();
    assert_eq!(dana.account.unwrap().display_name, "Dana Field");
    assert_eq!(kim.account.unwrap().smtp.security(), Security::Opportunistic);
}

#[test]
fn a_password_is_never_shown() {
    let secret = "hunter2-hunter2";
    // Good, faulty in every column, out of line, and files that are refused.
    for text in [
        format!("email,password,smtphost,imaphost\na@x.example,{secret},s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na,{secret},s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,{secret},,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,{secret}\x07,s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,\"{secret}\n\",s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,x,{secret},s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example;{secret};s.example;i.example\n"),
        format!("password,email,smtphost,imaphost\nx,{secret}@x.example,a@x.example,s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,\"{secret},s.example,i.example\n"),
        format!("email,password,smtphost,imaphost\na@x.example,\"x\"{secret},s.example,i.example\n"),
        format!("{secret},email,smtphost,imaphost\na@x.example,x,s.example,i.example\n"),
        format!("email,{secret},smtphost,password,password,imaphost\na@x.example,x,s.example,i.example\n"),
    ] {
        let shown = match read_text(&text) {
            Ok(file) => format!("{file:?}"),
            Err(fault) => format!("{fault:?} {fault}"),
        };
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// Nothing may make it slow or panic.
#[test]
fn takes_whatever_comes() {
    const SIZE: usize = 256 * 1024;
    for unit in [",", "\"", "\"\"", "\n", "\r", ",\n", "a,", "é;", "\t", "'=", "email,", "\"a\",", " \""] {
        let text = unit.repeat(SIZE / unit.len());
        for text in [text.clone(), format!("email,password,smtphost,imaphost\n{text}")] {
            assert!(!read_text(&text).is_ok_and(|file| file.rows.len() > 1), "{unit:?}");
        }
    }
    let wide_header = format!("email,password,smtphost,imaphost{}\n{}", ",x".repeat(200_000), "a,b,c,d\n".repeat(500));
    assert_eq!(read_text(&wide_header).unwrap().rows.len(), 500);
}
