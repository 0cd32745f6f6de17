//! Writes the YAML of both CRDs beside this crate: `cargo run -p gristmill-crds --example generate`.

use std::path::Path;

use gristmill_crds::{HourlyCompaction, StreamIngest, definition, yaml};

fn main() -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(directory.join("streamingest.yaml"), yaml(&definition::<StreamIngest>()))?;
    std::fs::write(directory.join("hourlycompaction.yaml"), yaml(&definition::<HourlyCompaction>()))
}
