//! As much of HTTP/1.1 as an error server needs: heads, bodies with a length or in chunks, gzip.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

use flate2::bufread::GzDecoder;

/// GlitchTip's limit for a compressed body once it is unpacked, in bytes.
const MAX_UNPACKED: u64 = 2_621_440;

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// As it came over the wire.
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn header_is(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    pub(super) fn wants_close(&self) -> bool {
        self.header_is("connection", "close")
    }
}

pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Request> {
    let mut request = read_head(reader)?;
    request.body = if request.header_is("transfer-encoding", "chunked") {
        read_chunks(reader)?
    } else {
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(malformed)?;
        read_exactly(reader, length)?
    };
    Ok(request)
}

/// Reads no byte beyond the head, and returns when the body has begun to arrive.
pub(super) fn read_head_only(stream: &TcpStream) -> io::Result<Request> {
    let request = read_head(&mut BufReader::with_capacity(1, stream))?;
    stream.peek(&mut [0])?;
    Ok(request)
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Request> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1")) = (words.next(), words.next(), words.next()) else {
        return Err(malformed(format!("request line {line:?}")));
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(format!("header {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Request { method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() })
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let length =
            u64::from_str_radix(line.split(';').next().unwrap_or_default(), 16).map_err(malformed)?;
        body.extend(read_exactly(reader, length)?);
        // The end of a chunk; after the last one, which is empty, the end of the (never sent) trailers.
        if !read_line(reader)?.is_empty() {
            return Err(malformed("no line end after a chunk"));
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(length).read_to_end(&mut bytes)? as u64;
    if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn malformed(reason: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_string())
}

/// Why a body cannot be unpacked.
pub(super) enum Packed {
    Unreadable(String),
    TooLarge,
}

/// Undoes the two content encodings that GlitchTip, Sentry and Bugsink all understand.
pub(super) fn unpack(request: &Request) -> Result<Vec<u8>, Packed> {
    match request.header("content-encoding").unwrap_or("identity").to_ascii_lowercase().as_str() {
        "identity" => Ok(request.body.clone()),
        "gzip" => {
            let mut unpacked = Vec::new();
            let mut decoder = GzDecoder::new(request.body.as_slice()).take(MAX_UNPACKED + 1);
            match decoder.read_to_end(&mut unpacked) {
                Err(error) => Err(Packed::Unreadable(format!("broken gzip ({error})"))),
                Ok(length) if length as u64 > MAX_UNPACKED => Err(Packed::TooLarge),
                Ok(_) => Ok(unpacked),
            }
        }
        other => Err(Packed::Unreadable(format!("content-encoding {other:?}"))),
    }
}
