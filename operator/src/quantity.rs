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
    of_millicores(amount.to_millicores().expect("the plan accepted this amount"))
}

/// So many thousandths of a core as stored.
pub fn of_millicores(millicores: u32) -> Stored {
    Stored(reduced(u64::from(millicores), 1000, &["m", "", "k", "M"]))
}

/// Thousandths of a core of a stored amount; none if it is written in a way that no one uses for CPU.
pub fn millicores(stored: &Stored) -> Option<u32> {
    Quantity(stored.0.clone()).to_millicores().ok()
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

    #[test]
    fn text_that_is_no_cpu_has_no_thousandths() {
        let millicores = |text: &str| millicores(&Stored(text.to_owned()));
        assert_eq!(millicores("1.5"), Some(1500));
        assert_eq!(["much", "", "-1", "NaN", "inf", "1e300"].map(millicores), [None; 6]);
    }

    #[rstest]
    #[case("500m", "500m")]
    #[case("0.5", "500m")]
    #[case("2000m", "2")]
    #[case("2", "2")]
    #[case("1.5", "1500m")]
    #[case("1.1", "1100m")]
    #[case("0.001", "1m")]
    fn cpu_is_built_as_the_server_stores_it(#[case] written: &str, #[case] stored: &str) {
        assert_eq!(cpu(&Quantity(written.into())).0, stored);
    }
}
