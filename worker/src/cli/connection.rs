//! Flags of commands that dial brokers without running a resource.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::kafka::Connection;
use crate::secrets::Secrets;

/// Where the brokers are and how they are reached.
#[derive(Debug, Args)]
pub(super) struct ConnectionArgs {
    /// Take brokers, topic and security from the StreamIngest of this file; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required_unless_present_all = ["bootstrap_servers", "topic"])]
    files: Vec<PathBuf>,
    /// Name of the StreamIngest, if the files hold several.
    #[arg(long, requires = "files")]
    name: Option<String>,
    /// Folder of the Secrets and ConfigMaps that the files do not hold: DIR/NAME/KEY.
    #[arg(long, value_name = "DIR", requires = "files")]
    secrets_dir: Option<PathBuf>,
    /// Brokers to begin with, host:port, separated by commas. Default: those of the StreamIngest.
    #[arg(long, env = "GRISTMILL_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,...")]
    bootstrap_servers: Option<String>,
    /// The topic; it is made if it is not there. Default: that of the StreamIngest.
    #[arg(long)]
    topic: Option<String>,
    /// Setting of librdkafka, for example security.protocol=SSL; may be repeated. It wins over the StreamIngest's.
    ///
    /// Other users of this machine see the arguments of a process: put passwords into --config-file.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// File with settings of librdkafka, one key=value a line; # begins a comment.
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
}

impl ConnectionArgs {
    /// The brokers and the topic.
    pub(super) fn resolve(&self) -> Result<(Connection, String), Failure> {
        let (ingest, topic) = match self.files.as_slice() {
            [] => (None, None),
            files => {
                let documents = Documents::read(files)?;
                let plan = documents.ingest_plan(self.name.as_deref())?;
                let secrets = Secrets::of(&documents, self.secrets_dir.clone());
                (Some(Connection::of(&plan, &secrets)?), Some(plan.topic))
            }
        };
        let missing = |what| invalid(format!("{what} is missing; give it, or a StreamIngest with -f"));
        let connection = match (ingest, &self.bootstrap_servers) {
            (Some(connection), Some(servers)) => connection.with_servers(servers),
            (Some(connection), None) => connection,
            (None, Some(servers)) => Connection::plaintext(servers),
            (None, None) => return Err(missing("--bootstrap-servers")),
        };
        let connection = connection
            .with_settings(self.config_file.as_deref().map(settings).transpose()?.unwrap_or_default())
            .with_settings(self.settings.iter().cloned());
        let topic = self.topic.clone().or(topic);
        Ok((connection, topic.ok_or_else(|| missing("--topic"))?))
    }
}

/// The settings of a file. Its lines may be secrets: an error tells the number of a line and not what it says.
fn settings(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| invalid(format!("cannot read --config-file {}: {error}", path.display())))?;
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            let at = format!("line {} of --config-file {}", index + 1, path.display());
            setting(line).map_err(|problem| invalid(format!("{at}: {problem}")))
        })
        .collect()
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected key=value, for example security.protocol=SSL"),
    }
}

fn invalid(message: String) -> Failure {
    Failure { exit: Exit::Usage, reason: "Invalid", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_file_has_comments_and_values_with_equals_signs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("client.properties");
        std::fs::write(&path, "# ours\nsasl.username = books\n\nsasl.password=a=b\n").expect("the folder is ours");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            settings(&path).expect("it is well-formed"),
            [pair("sasl.username", "books"), pair("sasl.password", "a=b")]
        );
    }

    #[test]
    fn bad_line_is_told_by_its_number_and_not_by_its_text() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("client.properties");
        std::fs::write(&path, "sasl.username=books\nsecret\n").expect("the folder is ours");
        let message = settings(&path).expect_err("a line has no key").message;
        assert!(message.contains("line 2") && !message.contains("secret"), "{message}");
    }
}
