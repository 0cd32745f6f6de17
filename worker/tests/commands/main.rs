//! The commands as processes: what they print, and the code that they end with.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod exits;
mod help;
mod secrets;
mod zones;

use std::path::Path;
use std::process::{Command, Output};

/// The binary, as outside a pod and without anything of the environment that a user might have set.
fn gristmill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command.args(arguments);
    for variable in [
        "KUBERNETES_SERVICE_HOST",
        "GRISTMILL_BOOTSTRAP_SERVERS",
        "GRISTMILL_ADMIN_ADDR",
        "GRISTMILL_LOG_FORMAT",
        "HADOOP_CONF_DIR",
        "HADOOP_HOME",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command
}

fn output(arguments: &[&str]) -> Output {
    gristmill(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
