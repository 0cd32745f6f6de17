//! Writes the YAML of both CRDs beside this crate and into the Helm chart: `make gen`.

use std::path::Path;

use gristmill_crds::{HourlyCompaction, StreamIngest, definition, helm_template, yaml};

fn main() -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chart = directory.join("../charts/gristmill/templates/crds");
    for (file, crd) in [
        ("streamingest.yaml", definition::<StreamIngest>()),
        ("hourlycompaction.yaml", definition::<HourlyCompaction>()),
    ] {
        std::fs::write(directory.join(file), yaml(&crd))?;
        std::fs::write(chart.join(file), helm_template(crd))?;
    }
    Ok(())
}
