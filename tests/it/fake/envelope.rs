//! The envelope's framing: one header line, then items of a header line and a payload.

use serde_json::Value;

pub(super) struct Envelope {
    pub(super) header: Value,
    pub(super) items: Vec<Item>,
    /// Why the rest after `items` could not be read; servers drop it without a word.
    pub(super) unreadable: Option<String>,
}

pub(super) struct Item {
    pub(super) header: Value,
    pub(super) payload: Vec<u8>,
}

impl Envelope {
    /// Fails if there is no header, without which no server reads on.
    pub(super) fn parse(body: &[u8]) -> Result<Envelope, String> {
        let (line, mut rest) = split_line(body);
        let header = object(line).map_err(|why| format!("the envelope's header must be JSON: {why}"))?;
        let mut envelope = Envelope { header, items: Vec::new(), unreadable: None };
        while !rest.is_empty() {
            match Item::split_off(rest) {
                Ok((item, after)) => {
                    envelope.items.push(item);
                    rest = after;
                }
                Err(why) => {
                    envelope.unreadable = Some(why);
                    break;
                }
            }
        }
        Ok(envelope)
    }
}

impl Item {
    pub(super) fn kind(&self) -> &str {
        self.header["type"].as_str().unwrap_or_default()
    }

    pub(super) fn is_event(&self) -> bool {
        self.kind() == "event"
    }

    pub(super) fn json(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.payload)
    }

    fn split_off(bytes: &[u8]) -> Result<(Item, &[u8]), String> {
        let (line, rest) = split_line(bytes);
        if line.is_empty() {
            return Err("there must be no empty line between items: GlitchTip stops there".to_owned());
        }
        let header = object(line).map_err(|why| format!("an item's header must be JSON: {why}"))?;
        let (payload, rest) = match header["length"].as_u64() {
            None => split_line(rest),
            Some(length) => {
                let (payload, rest) = usize::try_from(length)
                    .ok()
                    .and_then(|length| rest.split_at_checked(length))
                    .ok_or_else(|| {
                        format!("an item's length must be right: only {} bytes follow", rest.len())
                    })?;
                match split_line(rest) {
                    ([], rest) => (payload, rest),
                    _ => return Err("an item's length must be right: its payload goes on".to_owned()),
                }
            }
        };
        Ok((Item { header, payload: payload.to_vec() }, rest))
    }
}

/// A line without its end, and what follows.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}

fn object(line: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice::<Value>(line).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("not an object".to_owned()) }
}
