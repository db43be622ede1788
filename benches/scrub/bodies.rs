//! The bodies: what a shop's clients send, and what is meant to be slow.

use serde_json::{Value, json};

/// Every body with its name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("orders, 1 KiB", orders(1)),
        ("orders, 8 KiB", orders(10)),
        ("orders, 100 KiB", orders(125)),
        ("orders, 16 MiB", orders(20_000)),
        ("one long text, 100 KiB", text()),
        ("1 MiB of quotes", b"\"".repeat(1 << 20)),
        ("1 MiB of braces", b"{".repeat(1 << 20)),
        ("1 MiB of backslashes", [b"\"".as_slice(), &b"\\".repeat(1 << 20)].concat()),
        ("1 MiB of equal signs", [b"\"".as_slice(), &b"=".repeat(1 << 20)].concat()),
        ("1 MiB of digits", b"1".repeat(1 << 20)),
        ("1 MiB of values in values", br#"{"value":"#.repeat(1 << 17)),
        ("1 MiB of cookies in a line", text_of(r#" "cookie": a, "#)),
        ("1 MiB of passwords", text_of("password=[Filtered] ")),
        ("1 MiB of escapes", text_of("%2541")),
        ("1 MiB of elements", text_of("<a><password>")),
    ]
}

pub(crate) fn named(name: &str) -> Option<Vec<u8>> {
    all().into_iter().find(|(body, _)| *body == name).map(|(_, body)| body)
}

/// Orders, nested and with texts; one key in fifty is a secret's.
fn orders(count: u32) -> Vec<u8> {
    let orders: Vec<Value> = (0..count).map(order).collect();
    serde_json::to_vec(&json!({ "orders": orders, "page": 1, "hasMore": true })).unwrap_or_default()
}

fn order(number: u32) -> Value {
    let item = |item: u32| {
        json!({
            "sku": format!("SKU-{:05}", number.wrapping_mul(7).wrapping_add(item) % 100_000),
            "title": "Enamel mug, blue, 300 ml",
            "quantity": item,
            "unitPrice": 12.5,
            "attributes": { "colour": "blue", "gift_wrap": item.is_multiple_of(2), "engraving": null },
        })
    };
    json!({
        "id": format!("0198a1f2-7c3e-7d51-9c1b-{number:012}"),
        "status": "packed",
        "createdAt": "2026-11-22T10:20:30.123Z",
        "updated_at": "2026-11-22T11:21:31.456Z",
        "customer": { "reference": number, "segment": "returning", "password": "hunter2" },
        "items": [item(1), item(2)],
        "delivery": { "carrier": "post", "note": "leave it at the door, please", "express": false },
        "total": 37.5,
        "currency": "EUR",
        "comments": ["called on Monday", "wants an invoice by mail"],
    })
}

fn text() -> Vec<u8> {
    let words = "The parcel was left at the door on Monday and nobody has seen it since then. ";
    serde_json::to_vec(&json!({ "text": words.repeat(1_300) })).unwrap_or_default()
}

/// A text of 1 MiB, which is no JSON.
fn text_of(part: &str) -> Vec<u8> {
    b"text: ".iter().chain(part.as_bytes().iter().cycle()).take(1 << 20).copied().collect()
}
