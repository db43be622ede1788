//! Writing: without spaces, and with the escapes of serde_json.

use std::fmt;
use std::io::{self, Write};

use super::Json;

/// An event with a request has some 3 KiB.
const USUAL: usize = 4 * 1024;

impl Json<'_> {
    pub(in crate::deliver) fn to_vec(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(USUAL);
        self.write(&mut out).ok()?;
        Some(out)
    }

    pub(in crate::deliver) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Null => out.write_all(b"null"),
            Self::Bool(true) => out.write_all(b"true"),
            Self::Bool(false) => out.write_all(b"false"),
            Self::Number(number) => out.write_all(number.as_bytes()),
            Self::Text(text) => Ok(serde_json::to_writer(out, text)?),
            Self::Array(items) => {
                out.write_all(b"[")?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.write_all(b",")?;
                    }
                    item.write(out)?;
                }
                out.write_all(b"]")
            }
            Self::Object(fields) => {
                out.write_all(b"{")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.write_all(b",")?;
                    }
                    serde_json::to_writer(&mut *out, name)?;
                    out.write_all(b":")?;
                    value.write(out)?;
                }
                out.write_all(b"}")
            }
        }
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_vec().ok_or(fmt::Error)?;
        f.write_str(std::str::from_utf8(&bytes).map_err(|_| fmt::Error)?)
    }
}
