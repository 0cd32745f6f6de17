//! Numbers as a reader wants them: three digits, a unit, no more.

use std::time::Duration;

/// Cores: `0.35 cores`, `1 core`, `12 cores`.
pub(crate) fn cores(millicores: f64) -> String {
    // A tenth of a millicore is nothing that could be given.
    match significant((millicores * 10.0).round() / 10_000.0) {
        one if one == "1" => "1 core".into(),
        cores => format!("{cores} cores"),
    }
}

/// CPU as Kubernetes writes it: `750m`, `2`.
pub(crate) fn cpu(millicores: u64) -> String {
    if millicores > 0 && millicores.is_multiple_of(1000) {
        format!("{}", millicores / 1000)
    } else {
        format!("{millicores}m")
    }
}

/// A rate or a quantity, with three digits that count below 1000 and whole above: what is computed from them by hand comes out.
pub(crate) fn significant(value: f64) -> String {
    const DIGITS: i32 = 3;
    let magnitude = value.abs();
    let decimals =
        if magnitude > 0.0 && magnitude.is_finite() { DIGITS - 1 - magnitude.log10().floor() as i32 } else { 0 };
    // Beyond that a figure is as good as none.
    let decimals = usize::try_from(decimals).unwrap_or(0).min(9);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A time as the resource writes it: `90s`, `30m`, `1h30m`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    let mut text = String::new();
    for (number, unit) in [(hours, "h"), (minutes, "m"), (rest, "s")] {
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Bytes in the units of a memory request: `512Mi`, `2Gi`.
pub(crate) fn memory(bytes: u64) -> String {
    match bytes {
        b if b > 0 && b.is_multiple_of(1 << 30) => format!("{}Gi", b >> 30),
        b => format!("{}Mi", b.div_ceil(1 << 20)),
    }
}

/// Bytes of data: `183 MB`.
pub(crate) fn bytes(bytes: f64) -> String {
    let (scale, unit) = match bytes {
        b if b >= 1e12 => (1e12, "TB"),
        b if b >= 1e9 => (1e9, "GB"),
        b if b >= 1e6 => (1e6, "MB"),
        b if b >= 1e3 => (1e3, "kB"),
        _ => (1.0, "B"),
    };
    format!("{} {unit}", significant(bytes / scale))
}

/// `1 worker`, `2 workers`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
