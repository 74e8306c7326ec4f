//! The file of failed rows: it can be uploaded again, and a spreadsheet runs nothing that is in it.

use use_cases::imports::csv::{AccountsFile, FailedRow, GivenCells, MAX_ROWS, failed_rows_csv, read};

const HEADER: &str = "email,password,smtphost,smtpport,smtpsecure,imaphost,imapport,imapsecure,displayname";

fn failed_rows(file: &AccountsFile) -> String {
    let rows = file.rows.iter().filter_map(|row| {
        let fault = row.account.as_ref().err()?;
        let (code, cells) = (fault.code.as_str(), row.cells.as_ref());
        Some(FailedRow { email: &row.email, cells, code, error: &fault.error, remedy: &fault.remedy })
    });
    failed_rows_csv(rows).unwrap()
}

fn of_cells(cells: &GivenCells) -> String {
    let (code, error, remedy) = ("AUTH_BAD_CREDENTIALS", "Refused", "Try again.");
    failed_rows_csv([FailedRow { email: &cells.email, cells: Some(cells), code, error, remedy }]).unwrap()
}

#[test]
fn is_written_for_excel_without_passwords() {
    let text = format!(
        "{HEADER}\nzoë@x.example,s3cret,s.example,,,i.example,,,\"Zoë, \"\"Z\"\"\"\nkim@x.example,s3,cret\nok@x.example,p,s.example,,,i.example\n"
    );
    let file = read(text.as_bytes(), None).unwrap();
    assert_eq!(file.rows.len(), 3);
    let remedies: Vec<_> =
        file.rows.iter().filter_map(|row| Some(row.account.as_ref().err()?.remedy.as_str())).collect();
    let written = failed_rows(&file);
    assert_eq!(
        written,
        format!(
            "\u{FEFF}{HEADER},code,error,remedy\r\n\
             zoë@x.example,,s.example,,,i.example,,,\"Zoë, \"\"Z\"\"\",CFG_EMAIL_INVALID,Invalid email address,\"{}\"\r\n\
             kim@x.example,,,,,,,,,CFG_ROW_MISALIGNED,Wrong number of columns,\"{}\"\r\n",
            remedies[0], remedies[1]
        )
    );
    assert!(!written.contains("s3"));
}

/// Read, written, read again: each row says the same about itself, but for the password.
#[test]
fn comes_back_as_it_was() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/accounts");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(file) = read(&std::fs::read(entry.unwrap().path()).unwrap(), Some(MAX_ROWS)) else { continue };
        let failed: Vec<_> = file.rows.iter().filter(|row| row.account.is_err()).collect();
        // A row about which nothing can be said is a blank one but for the text of its fault.
        let again = read(failed_rows(&file).as_bytes(), None);
        if failed.is_empty() {
            assert!(again.is_err());
            continue;
        }
        let again = again.unwrap().rows;
        assert_eq!(again.len(), failed.len());
        for (row, before) in again.iter().zip(failed) {
            let cells = before
                .cells
                .clone()
                .unwrap_or_else(|| GivenCells { email: before.email.clone(), ..GivenCells::default() });
            assert_eq!(row.cells.as_ref(), Some(&cells));
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

/// With the password filled in, a row that only its server refused becomes the same mailbox.
#[test]
fn can_be_put_right_and_uploaded_again() {
    let text = format!("{HEADER}\n=dana@x.example,s3cret,s.example,465,yes,i.example,143,no,@Dana; +1\n");
    let account = read(text.as_bytes(), None).unwrap().rows.remove(0);
    let written = of_cells(account.cells.as_ref().unwrap());
    let filled_in = written.replace("'=dana@x.example,,", "'=dana@x.example,=s3cret,");
    assert_ne!(written, filled_in);
    let again = read(filled_in.as_bytes(), None).unwrap().rows.remove(0);
    assert_eq!(again.email, "=dana@x.example");
    let (account, again) = (account.account.unwrap(), again.account.unwrap());
    assert_eq!((again.smtp, again.imap), (account.smtp, account.imap));
    assert_eq!((again.display_name.as_str(), again.password.expose()), ("@Dana; +1", "=s3cret"));
}

/// Whatever separator and quotation rules a spreadsheet uses, no cell begins like a formula.
#[test]
fn nothing_begins_like_a_formula() {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '＝', '＠'];
    let begins = ["", " ", "\"", ";", ",", ";\"", "x;", "x,", "x\t", "x;;\"", "x; ", "x\";\"", "x|"];
    for begin in begins {
        for formula in FORMULA {
            let hostile = format!("{begin}{formula}cmd|'/C calc'!A0");
            let all = [(); 8].map(|()| hostile.clone());
            let [email, smtphost, smtpport, smtpsecure, imaphost, imapport, imapsecure, displayname] = all;
            let cells =
                GivenCells { email, smtphost, smtpport, smtpsecure, imaphost, imapport, imapsecure, displayname };
            let written = of_cells(&cells);
            let row = written.split_once("\r\n").unwrap().1;
            for separators in [&[','][..], &[';'], &['\t'], &[',', ';', '\t', '|']] {
                for cell in row.split(|c| separators.contains(&c) || c == '\n') {
                    let cell = cell.trim_start_matches([' ', '"']);
                    assert!(!cell.starts_with(FORMULA) || cell.trim().is_empty(), "{hostile:?}: {cell:?} in {row:?}");
                }
            }
            let again = read(written.as_bytes(), None).unwrap().rows.remove(0).cells.unwrap();
            let kept: String = hostile.trim().chars().filter(|c| !c.is_control()).collect();
            assert_eq!(again.displayname, kept, "{row:?}");
        }
    }
}

/// Every text of up to five of these characters: what is added is taken away, and nothing else.
#[test]
fn what_is_added_is_taken_away() {
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        texts = texts.iter().flat_map(|text| ['a', '=', '\'', ';', '"', ','].map(|c| format!("{text}{c}"))).collect();
        let rows: String =
            texts.iter().map(|text| format!("a@x.example,,,,\"{}\"\n", text.replace('"', "\"\""))).collect();
        let file = read(format!("email,password,smtphost,imaphost,displayname\n{rows}").as_bytes(), None).unwrap();
        let again = read(failed_rows(&file).as_bytes(), None).unwrap();
        for ((row, again), text) in file.rows.iter().zip(&again.rows).zip(&texts) {
            assert_eq!(row.cells, again.cells, "{text:?}");
            if !text.contains("'=") {
                assert_eq!(row.cells.as_ref().unwrap().displayname, *text);
            }
        }
    }
}
