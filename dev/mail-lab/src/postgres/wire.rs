//! As much of PostgreSQL's protocol (version 3.0, simple query, no password) as it takes to make a database.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{IoContext, LabError};

type Row = Vec<Option<String>>;

/// Runs `sql` as user `postgres` and gives all rows.
pub(super) fn execute(addr: SocketAddr, database: &str, sql: &str) -> Result<Vec<Row>, LabError> {
    let mut stream = TcpStream::connect(addr).doing("connecting to PostgreSQL")?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).doing("setting a timeout")?;
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for word in ["user", "postgres", "database", database] {
        startup.extend_from_slice(word.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    send(&mut stream, None, &startup)?;
    until_ready(&mut stream)?;
    let mut query = sql.as_bytes().to_vec();
    query.push(0);
    send(&mut stream, Some(b'Q'), &query)?;
    until_ready(&mut stream)
}

fn send(stream: &mut TcpStream, kind: Option<u8>, body: &[u8]) -> Result<(), LabError> {
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(body);
    stream.write_all(&message).doing("writing to PostgreSQL")
}

/// Reads messages up to ReadyForQuery.
fn until_ready(stream: &mut TcpStream) -> Result<Vec<Row>, LabError> {
    let mut rows = Vec::new();
    let mut error = None;
    loop {
        let mut head = [0; 5];
        if let Err(closed) = stream.read_exact(&mut head) {
            // After a fatal error the server closes without ReadyForQuery.
            return Err(error.unwrap_or(LabError::Io { what: "reading from PostgreSQL".into(), source: closed }));
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]).saturating_sub(4);
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body).doing("reading from PostgreSQL")?;
        match head[0] {
            b'Z' => return error.map_or(Ok(rows), Err),
            b'D' => rows.extend(row(&body)),
            b'E' => error = Some(LabError::failed("PostgreSQL: a statement", message(&body))),
            _ => {}
        }
    }
}

/// DataRow: number of columns, then length (-1 = NULL) and bytes of each.
fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            columns.push(None);
            continue;
        };
        let (value, after) = rest.split_at_checked(length)?;
        rest = after;
        columns.push(Some(String::from_utf8_lossy(value).into_owned()));
    }
    Some(columns)
}

/// ErrorResponse: fields of a letter and a text that ends in NUL; `M` is the message.
fn message(body: &[u8]) -> String {
    body.split(|byte| *byte == 0)
        .filter_map(|field| field.strip_prefix(b"M"))
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}
