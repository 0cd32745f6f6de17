//! The help is what a user reads first: every command has one, with a sentence for each flag.

use crate::{output, stdout};

/// Commands and their subcommands, from the help itself.
fn commands() -> Vec<Vec<String>> {
    let names = |help: &str| -> Vec<String> {
        let (_, list) = help.split_once("Commands:\n").unwrap_or_default();
        let lines = list.lines().take_while(|line| line.starts_with("  "));
        let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        names.filter(|name| *name != "help").map(str::to_owned).collect()
    };
    let mut commands = Vec::new();
    for name in names(stdout(&output(&["--help"]))) {
        let subcommands = names(stdout(&output(&[&name, "--help"])));
        if subcommands.is_empty() {
            commands.push(vec![name]);
        } else {
            commands.extend(subcommands.into_iter().map(|subcommand| vec![name.clone(), subcommand]));
        }
    }
    commands
}

#[test]
fn every_flag_of_every_command_is_explained() {
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = output(&arguments);
        let help = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let mut lines = help.lines().peekable();
        while let Some(line) = lines.next() {
            let flag = line.trim_start();
            if !(flag.starts_with("--") || flag.starts_with('-') && flag.contains(", --")) {
                continue;
            }
            // The sentence stands on the same line behind two spaces, or on the next one.
            let explained = flag.contains("  ") || lines.peek().is_some_and(|next| !next.trim().is_empty());
            assert!(explained, "{command:?}: {flag}");
        }
    }
}

#[test]
fn exit_codes_stand_in_the_help() {
    let output = output(&["--help"]);
    for code in 0..=7 {
        assert!(stdout(&output).contains(&format!("{code} ")), "{}", stdout(&output));
    }
}
