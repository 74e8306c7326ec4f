//! Reads a form with a file (multipart/form-data, RFC 7578) within limits. Nothing is written to disk.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::{Bytes, Payload};
use futures_util::stream::poll_fn;
use futures_util::{Stream, StreamExt};
use zeroize::Zeroizing;

use super::body::{READ_FOR, drain};

/// Largest file in bytes.
const MAX_FILE: usize = 2 * 1024 * 1024;
/// Largest value beside it in bytes.
const MAX_TEXT: usize = 4 * 1024;
/// Most parts, ignored ones included.
const MAX_PARTS: usize = 20;
/// Largest body in bytes: room for the file and one that is ignored.
const MAX_BODY: usize = 2 * MAX_FILE;
/// Longest boundary (RFC 2046 section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The parts of a form.
pub(crate) struct Upload {
    /// Bytes, wiped on drop: a CSV file of accounts contains passwords.
    pub(crate) file: Zeroizing<Vec<u8>>,
    /// Names and values beside the file, in the order of the form.
    pub(crate) texts: Vec<(String, String)>,
}

/// The reason why a form was not read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum UploadError {
    /// 415.
    #[error("Content-Type must be multipart/form-data")]
    NotMultipart,
    /// 413.
    #[error("The {what} is larger than {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
    /// 400. The text is always one of ours.
    #[error("The request is not a valid form: {0}")]
    Malformed(&'static str),
    /// 400.
    #[error("The form has no file: it belongs into a part named \"{0}\"")]
    MissingFile(String),
    /// 400.
    #[error("The form has more than one file in parts named \"{0}\"")]
    RepeatedFile(String),
    /// 400, if the client still reads.
    #[error("The request body did not arrive completely")]
    Broken,
}

/// Reads a form whose file is the part `file_field`. Other files in it are ignored.
pub(crate) async fn read_upload(
    request: &HttpRequest,
    payload: Payload,
    file_field: &str,
) -> Result<Upload, UploadError> {
    // Shared: the parser keeps its stream, and the rest of it has to be drained after the parser has given up.
    let body = Rc::new(RefCell::new(Body { payload, read: 0, failed: false }));
    let reader = Rc::clone(&body);
    let read = async {
        let headers = part_headers(request)?;
        let form = Multipart::new(&headers, poll_fn(move |cx| reader.borrow_mut().poll_next_unpin(cx)));
        read_parts(form, file_field, expected_size(request)).await
    };
    let result = tokio::time::timeout(READ_FOR, read).await.unwrap_or(Err(UploadError::Broken));
    let (read, failed) = (body.borrow().read, body.borrow().failed);
    let result = match result {
        Err(_) if failed => Err(UploadError::Broken),
        Err(UploadError::Malformed(_)) if read > MAX_BODY => {
            Err(UploadError::TooLarge { what: "request body", limit: MAX_BODY })
        }
        result => result,
    };
    if !matches!(result, Err(UploadError::Broken)) {
        drain(poll_fn(move |cx| body.borrow_mut().payload.poll_next_unpin(cx))).await;
    }
    result
}

/// The request body as the parser sees it: it ends with an error when it is too large.
struct Body {
    payload: Payload,
    read: usize,
    failed: bool,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.payload.poll_next_unpin(cx));
        match &chunk {
            Some(Ok(bytes)) => self.read += bytes.len(),
            Some(Err(_)) => self.failed = true,
            None => {}
        }
        Poll::Ready(if self.read > MAX_BODY { Some(Err(PayloadError::Overflow)) } else { chunk })
    }
}

/// The headers that the parser reads. It accepts fewer spellings of the boundary than RFC 2046 allows, so it gets a
/// quoted one.
fn part_headers(request: &HttpRequest) -> Result<HeaderMap, UploadError> {
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parameters = declared.split(';');
    if !parameters.next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(UploadError::NotMultipart);
    }
    let boundary = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|boundary| !boundary.is_empty())
        .ok_or(UploadError::Malformed("Content-Type has no boundary parameter"))?;
    if boundary.len() > MAX_BOUNDARY || boundary.contains(['"', '\\']) {
        return Err(UploadError::Malformed("the boundary parameter of Content-Type is not valid"));
    }
    let value = HeaderValue::from_str(&format!("multipart/form-data; boundary=\"{boundary}\""))
        .map_err(|_| UploadError::Malformed("the boundary parameter of Content-Type is not valid"))?;
    Ok(HeaderMap::from_iter([(CONTENT_TYPE, value)]))
}

/// Initial capacity for the file, so that growing leaves no copies of passwords in freed memory.
fn expected_size(request: &HttpRequest) -> usize {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    declared.unwrap_or(MAX_FILE).min(MAX_FILE)
}

async fn read_parts(mut form: Multipart, file_field: &str, expected: usize) -> Result<Upload, UploadError> {
    let mut file = None;
    let mut texts = Vec::new();
    let mut parts = 0;
    while let Some(part) = form.next().await {
        let mut part = part.map_err(|error| malformed(&error))?;
        parts += 1;
        if parts > MAX_PARTS {
            return Err(UploadError::Malformed("it has more than 20 parts"));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.content_disposition().and_then(|disposition| disposition.get_filename());
        if name == file_field {
            // A browser sends this for a form in which no file was chosen.
            let none_chosen = file_name == Some("");
            let mut content = Zeroizing::new(Vec::with_capacity(expected));
            collect(&mut part, &mut content, MAX_FILE, "file").await?;
            if none_chosen && content.is_empty() {
                continue;
            }
            if file.replace(content).is_some() {
                return Err(UploadError::RepeatedFile(file_field.to_owned()));
            }
        } else if file_name.is_some() {
            while let Some(chunk) = part.next().await {
                chunk.map_err(|error| malformed(&error))?;
            }
        } else {
            let mut value = Vec::new();
            collect(&mut part, &mut value, MAX_TEXT, "value of a form field").await?;
            let value = String::from_utf8(value).map_err(|_| UploadError::Malformed("a value is not UTF-8"))?;
            texts.push((name, value));
        }
    }
    match file {
        Some(file) => Ok(Upload { file, texts }),
        None => Err(UploadError::MissingFile(file_field.to_owned())),
    }
}

async fn collect(part: &mut Field, into: &mut Vec<u8>, limit: usize, what: &'static str) -> Result<(), UploadError> {
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|error| malformed(&error))?;
        if into.len() + chunk.len() > limit {
            return Err(UploadError::TooLarge { what, limit });
        }
        into.extend_from_slice(&chunk);
    }
    Ok(())
}

fn malformed(error: &actix_multipart::MultipartError) -> UploadError {
    use actix_multipart::MultipartError as E;
    UploadError::Malformed(match error {
        E::BoundaryMissing | E::Incomplete => "its parts do not end with the boundary that Content-Type names",
        E::ContentDispositionMissing | E::ContentDispositionNameMissing => {
            "a part has no header Content-Disposition: form-data with a name"
        }
        E::Payload(PayloadError::Overflow) => "the header of a part is too long",
        E::Nested => "a part is multipart itself",
        _ => "the header of a part cannot be read",
    })
}

#[cfg(test)]
mod tests;
