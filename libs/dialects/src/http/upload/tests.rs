#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use actix_web::test::TestRequest;
use actix_web::{FromRequest, dev};
use futures_util::stream;

use super::*;

type Chunk = Result<Bytes, PayloadError>;

/// Reads chunks as a body; returns also the number of chunks that were not read.
async fn read_chunks(content_type: &str, chunks: Vec<Chunk>) -> (Result<Upload, UploadError>, usize) {
    let request = TestRequest::post().insert_header((CONTENT_TYPE, content_type)).to_http_request();
    let left = Rc::new(Cell::new(chunks.len()));
    let counted = Rc::clone(&left);
    let body = stream::iter(chunks).inspect(move |_| counted.set(counted.get() - 1));
    let mut payload: dev::Payload = dev::Payload::Stream { payload: Box::pin(body) };
    let payload = Payload::from_request(&request, &mut payload).await.unwrap();
    let result = read_upload(&request, payload, "file").await;
    (result, left.get())
}

async fn read_in(size: usize, content_type: &str, body: &[u8]) -> Result<Upload, UploadError> {
    let chunks = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let (result, left) = read_chunks(content_type, chunks).await;
    assert_eq!(left, 0, "the client is left sending");
    result
}

async fn read(body: &[u8]) -> Result<Upload, UploadError> {
    read_in(64 * 1024, "multipart/form-data; boundary=XX", body).await
}

/// The parts `(header lines, content)` between boundaries `XX`.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (header, content) in parts {
        body.extend_from_slice(format!("--XX\r\nContent-Disposition: form-data; {header}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

const FILE: &str = "name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv";
const OTHER_FILE: &str = "name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png";
const TAG: &str = "name=\"tag\"";

fn malformed_by(result: Result<Upload, UploadError>) -> &'static str {
    match result.err() {
        Some(UploadError::Malformed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn reads_parts_in_any_order_and_any_chunks() {
    let content = b"a,b\r\n--X\r\n\r--X\r\n--\r\n\xFF\0\r";
    let skip = ("name=\"skipConnectionTest\"", &b"true"[..]);
    for parts in [
        [(FILE, &content[..]), (TAG, "n\u{00F6}rth".as_bytes()), skip],
        [(TAG, "n\u{00F6}rth".as_bytes()), (FILE, &content[..]), skip],
        [(TAG, "n\u{00F6}rth".as_bytes()), skip, (FILE, &content[..])],
    ] {
        let body = form(&parts);
        for size in [1, 2, 3, 7, 16, 100, 10_000] {
            let upload = read_in(size, "multipart/form-data; boundary=XX", &body).await.unwrap();
            assert_eq!(*upload.file, content, "{size}");
            let texts = [("tag".to_owned(), "nörth".to_owned()), ("skipConnectionTest".to_owned(), "true".to_owned())];
            assert_eq!(upload.texts, texts);
        }
    }
}

#[actix_web::test]
async fn takes_every_spelling_of_the_boundary() {
    for (content_type, boundary) in [
        ("multipart/form-data; boundary=XX", "XX"),
        ("multipart/form-data;boundary=\"XX\"", "XX"),
        ("Multipart/Form-Data ; charset=utf-8 ; Boundary=\"X X\" ", "X X"),
        ("multipart/form-data; boundary=----WebKitFormBoundaryA1b2C3", "----WebKitFormBoundaryA1b2C3"),
        ("multipart/form-data; boundary=----=_Part_1_2.3", "----=_Part_1_2.3"),
        ("multipart/form-data; boundary=a'(b)+_c,d-e./f:g=h?i", "a'(b)+_c,d-e./f:g=h?i"),
        ("multipart/form-data; boundary=\"a'(b)+_c,d-e./f:g=h?i\"; charset=utf-8", "a'(b)+_c,d-e./f:g=h?i"),
    ] {
        let body = String::from_utf8(form(&[(FILE, b"content")])).unwrap().replace("XX", boundary);
        let upload = read_in(5, content_type, body.as_bytes()).await.unwrap();
        assert_eq!(*upload.file, b"content", "{content_type}");
    }
}

#[actix_web::test]
async fn wants_a_form_and_its_boundary() {
    let body = form(&[(FILE, b"content")]);
    for other in ["application/json", "text/csv", "multipart/mixed; boundary=XX", "multipart/form-dataX", ""] {
        assert_eq!(read_in(5, other, &body).await.err(), Some(UploadError::NotMultipart), "{other}");
    }
    for none in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""] {
        assert!(malformed_by(read_in(5, none, &body).await).contains("has no boundary"), "{none}");
    }
    let too_long = format!("multipart/form-data; boundary={}", "X".repeat(71));
    assert!(malformed_by(read_in(5, &too_long, &body).await).contains("boundary parameter"));
    for wrong in ["YY", "X", "XXX", "xx"] {
        let result = read_in(5, &format!("multipart/form-data; boundary={wrong}"), &body).await;
        assert!(malformed_by(result).contains("boundary that Content-Type names"), "{wrong}");
    }
}

/// No part of a body that ends too early is taken for the whole.
#[actix_web::test]
async fn no_part_of_a_body_is_a_body() {
    let body = form(&[(TAG, b"north"), (FILE, b"a,b\r\nc,d\r\n")]);
    let complete = body.len() - 2;
    for end in 0..complete {
        let (result, _) = read_chunks("multipart/form-data; boundary=XX", vec![Ok(body[..end].to_vec().into())]).await;
        malformed_by(result);
        let broken = vec![Ok(body[..end].to_vec().into()), Err(PayloadError::Incomplete(None))];
        let (result, _) = read_chunks("multipart/form-data; boundary=XX", broken).await;
        assert_eq!(result.err(), Some(UploadError::Broken), "{end}");
    }
    assert!(read(&body[..complete]).await.is_ok(), "the last line end is optional");
}

#[actix_web::test]
async fn limits_are_exact() {
    let file_of = |size: usize| form(&[(TAG, b"north"), (FILE, &vec![b'\r'; size])]);
    assert_eq!(read(&file_of(2 * 1024 * 1024)).await.unwrap().file.len(), 2 * 1024 * 1024);
    let too_large = read(&file_of(2 * 1024 * 1024 + 1)).await.err().unwrap();
    assert_eq!(too_large, UploadError::TooLarge { what: "file", limit: 2 * 1024 * 1024 });
    assert_eq!(too_large.to_string(), "The file is larger than 2097152 bytes");

    let text_of = |size: usize| form(&[(FILE, b"content"), (TAG, &vec![b'x'; size])]);
    assert_eq!(read(&text_of(4096)).await.unwrap().texts[0].1.len(), 4096);
    let too_large = read(&text_of(4097)).await.err().unwrap();
    assert_eq!(too_large, UploadError::TooLarge { what: "value of a form field", limit: 4096 });

    let parts_of = |count: usize| form(&[&vec![(TAG, &b"x"[..]); count - 1][..], &[(FILE, b"content")]].concat());
    assert_eq!(read(&parts_of(20)).await.unwrap().texts.len(), 19);
    assert!(malformed_by(read(&parts_of(21)).await).contains("more than 20 parts"));
}

#[actix_web::test]
async fn what_is_not_asked_for_is_passed_over_within_limits() {
    let photo_of = |size: usize| form(&[(OTHER_FILE, &vec![0; size]), (FILE, b"content"), (OTHER_FILE, b"x")]);
    let upload = read(&photo_of(3 * 1024 * 1024)).await.unwrap();
    assert_eq!((upload.file.len(), upload.texts.len()), (7, 0));
    let too_large = UploadError::TooLarge { what: "request body", limit: 4 * 1024 * 1024 };
    assert_eq!(read(&photo_of(4 * 1024 * 1024)).await.err(), Some(too_large));
    // Before the first part.
    let preamble = [&b"x\r\n".repeat(2 * 1024 * 1024)[..], &form(&[(FILE, b"content")])].concat();
    assert!(matches!(read(&preamble).await, Err(UploadError::TooLarge { what: "request body", .. })));
}

/// The client gets to read the answer, but the rest is not read without end.
#[actix_web::test]
async fn the_rest_is_drained_up_to_a_limit() {
    let start = form(&[(FILE, b"")]);
    let start = Bytes::from(start[..start.len() - "\r\n--XX--\r\n".len()].to_vec());
    let chunks = |count: usize| {
        let megabyte = Bytes::from(vec![b'x'; 1024 * 1024]);
        std::iter::once(Ok(start.clone())).chain((0..count).map(|_| Ok(megabyte.clone()))).collect()
    };
    for (count, wanted) in [(3, 3), (30, 30), (100, 36)] {
        let (result, left) = read_chunks("multipart/form-data; boundary=XX", chunks(count)).await;
        assert!(matches!(result, Err(UploadError::TooLarge { .. })), "{count}");
        assert_eq!(left, count - wanted);
    }
}

#[actix_web::test]
async fn there_is_exactly_one_file() {
    let missing = Some(UploadError::MissingFile("file".to_owned()));
    assert_eq!(read(&form(&[(TAG, b"north")])).await.err(), missing);
    assert_eq!(read(&form(&[])).await.err(), missing);
    // A form in a browser in which no file was chosen.
    let none_chosen = "name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream";
    assert_eq!(read(&form(&[(none_chosen, b"")])).await.err(), missing);
    assert_eq!(*read(&form(&[(none_chosen, b""), (FILE, b"content")])).await.unwrap().file, b"content");
    // An empty file is one.
    assert_eq!(*read(&form(&[(FILE, b"")])).await.unwrap().file, b"");
    // Some tools do not send a name with it, or its length.
    assert_eq!(*read(&form(&[("name=file", b"content")])).await.unwrap().file, b"content");
    let with_length = "name=\"file\"; filename*=UTF-8''a.csv\r\nContent-Length: 7";
    assert_eq!(*read(&form(&[(with_length, b"content")])).await.unwrap().file, b"content");
    let repeated = Some(UploadError::RepeatedFile("file".to_owned()));
    assert_eq!(read(&form(&[(FILE, b"one"), (TAG, b"x"), (FILE, b"two")])).await.err(), repeated);
}

#[actix_web::test]
async fn malformed_parts_are_named() {
    for (body, why) in [
        (form(&[("filename=\"a.csv\"", b"content")]), "Content-Disposition"),
        (form(&[("name=\"file\"\r\nContent-Type: multipart/mixed; boundary=YY", b"content")]), "multipart itself"),
        (form(&[(&format!("name=\"{}\"", "x".repeat(70_000)), b"content")]), "too long"),
        (form(&[("name=\"file\"\r\nno header", b"content")]), "cannot be read"),
        (form(&[(FILE, b"content"), (TAG, b"\xFF")]), "not UTF-8"),
        (b"--XX\r\nContent-Type: text/csv\r\n\r\ncontent\r\n--XX--\r\n".to_vec(), "Content-Disposition"),
        (b"email,password\r\n".to_vec(), "boundary that Content-Type names"),
        (b"".to_vec(), "boundary that Content-Type names"),
    ] {
        let found = malformed_by(read(&body).await);
        assert!(found.contains(why), "{why}: {found}");
    }
}
