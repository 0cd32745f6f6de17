//! CPU and memory in the one form in which the API server stores them.
//!
//! It rewrites `1024Mi` as `1Gi`. An object built with the former would look different from the live one
//! for ever, and be applied again at every reconcile.

use gristmill_crds::Quantity;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Stored;

/// Memory as stored: the largest suffix that leaves a whole number.
pub fn memory(size: &Quantity) -> Stored {
    let bytes = size.to_bytes().expect("the plan accepted this size");
    if bytes.is_multiple_of(1024) {
        Stored(reduced(bytes, 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]))
    } else {
        Stored(reduced(bytes, 1000, &["", "k", "M", "G", "T", "P", "E"]))
    }
}

/// CPU as stored: whole cores, or thousandths rounded up.
pub fn cpu(amount: &Quantity) -> Stored {
    let (number, scale) = match amount.0.strip_suffix('m') {
        Some(number) => (number, 1.0),
        None => (amount.0.as_str(), 1000.0),
    };
    let number: f64 = number.parse().expect("the plan accepted this amount");
    // Binary floating point makes 1100.0000000000002 of "1.1": what is below a millionth is not meant.
    Stored(reduced((number * scale - 1e-6).ceil() as u64, 1000, &["m", "", "k", "M"]))
}

fn reduced(mut number: u64, base: u64, suffixes: &[&str]) -> String {
    let mut suffix = 0;
    while number != 0 && number.is_multiple_of(base) && suffix + 1 < suffixes.len() {
        number /= base;
        suffix += 1;
    }
    format!("{number}{}", suffixes[suffix])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1024Mi", "1Gi")]
    #[case("256Mi", "256Mi")]
    #[case("1536Mi", "1536Mi")]
    #[case("268435456", "256Mi")]
    #[case("500M", "500M")]
    #[case("1000000000", "1G")]
    fn memory_is_built_as_the_server_stores_it(#[case] written: &str, #[case] stored: &str) {
        assert_eq!(memory(&Quantity(written.into())).0, stored);
    }

    #[rstest]
    #[case("500m", "500m")]
    #[case("0.5", "500m")]
    #[case("2000m", "2")]
    #[case("2", "2")]
    #[case("1.5", "1500m")]
    #[case("1.1", "1100m")]
    #[case("0.0001", "1m")]
    fn cpu_is_built_as_the_server_stores_it(#[case] written: &str, #[case] stored: &str) {
        assert_eq!(cpu(&Quantity(written.into())).0, stored);
    }
}
