//! RFC 3339 and numeric timestamps as seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}

/// Both forms that every server understands.
pub(super) fn of_value(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => of_rfc3339(text),
        _ => None,
    }
}

pub(super) fn of_rfc3339(text: &str) -> Option<f64> {
    let (date, rest) = text.split_once('T')?;
    let (clock, offset) = match rest.strip_suffix('Z') {
        Some(clock) => (clock, 0.0),
        None => {
            let (clock, offset) = rest.split_at(rest.rfind(['+', '-'])?);
            let minutes = minutes(offset.get(1..)?)?;
            (clock, if offset.starts_with('-') { -minutes } else { minutes })
        }
    };
    let (clock_minutes, seconds) = clock.rsplit_once(':')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = seconds.parse::<f64>().ok().filter(|seconds| (0.0..61.0).contains(seconds))?;
    Some(days_since_1970(year, month, day) * 86_400.0 + (minutes(clock_minutes)? - offset) * 60.0 + seconds)
}

fn minutes(text: &str) -> Option<f64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    (hours < 24 && minutes < 60).then(|| f64::from(hours) * 60.0 + f64::from(minutes))
}

/// Counts in years that begin in March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> f64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    (days - 719_468) as f64
}
