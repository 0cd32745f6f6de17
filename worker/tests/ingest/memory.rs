//! What one message at the limit takes of a worker's memory.

use std::process::Command;

use gristmill_crds::plan::least_memory;

use crate::broker::Topic;
use crate::command::document;
use crate::folder;

const MIB: usize = 1 << 20;

/// What a large message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Rows of a usual length, as many as fit.
    Rows,
    /// One row whose title is as long as a text may be.
    Text,
    /// Bytes that no row takes.
    Comment,
    /// It is cut off: a reject, whose payload is kept whole.
    Reject,
}

/// A message of just so many bytes.
fn message(shape: Shape, bytes: usize) -> String {
    let row = |title: &str| {
        format!(
            "<book><record_id>0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f</record_id><title>{title}</title>\
             <author><name>N. N.</name></author><publication_year>2020</publication_year><price>12.50</price></book>"
        )
    };
    let mut text = "<library>".to_owned();
    let end = "</library>";
    match shape {
        Shape::Rows => {
            while text.len() + 400 < bytes {
                text += &row("A title of a book, as long as titles are, and a little longer than most of them are");
            }
        }
        Shape::Text => text += &row(&"t".repeat((bytes - 400).min(10 * MIB - 1))),
        Shape::Comment | Shape::Reject => text += &row("a title"),
    }
    let rest = bytes - text.len() - end.len() - 8;
    text += &format!("<!--{}-->", "x".repeat(rest));
    if shape == Shape::Reject { text } else { text + end }
}

/// The most memory that an ingest of a few such messages takes, in MiB.
fn peak(shape: Shape, bytes: usize, memory: &str, messages: usize) -> usize {
    let topic = Topic::create(&format!("memory-{shape:?}-{bytes}-{memory}-{messages}"), 1);
    let text = message(shape, bytes);
    topic.send((0..messages).map(|_| (0, Some(text.as_str()))));
    let folder = folder();
    let document = document(&topic, folder.path());
    let yaml = std::fs::read_to_string(&document).expect("it is written");
    let yaml = yaml.replace("maxLength: 500", "maxLength: 100000000").replace(
        "  raw:\n    path: hdfs://namenode.library.svc:8020/raw_zone",
        &format!(
            "    limits: {{maxMessageSize: {bytes}}}\n  rejected: {{payload: Full, action: Continue}}\n  raw:\n    path: hdfs://namenode.library.svc:8020/raw_zone"
        ),
    );
    assert!(yaml.contains("maxMessageSize") && yaml.contains("100000000"));
    std::fs::write(&document, yaml).expect("the folder is ours");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(["ingest", "--until-caught-up", "--memory", memory, "-f"])
        .arg(&document)
        .arg("--local")
        .arg(folder.path())
        .env_remove("KUBERNETES_SERVICE_HOST")
        .spawn()
        .expect("the binary runs");
    let mut most = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
        most = most.max(kib.unwrap_or(0) / 1024);
        if let Some(ended) = child.try_wait().expect("the process is ours") {
            assert!(ended.success(), "{ended}");
            return most;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// As many as the rule counts on (`gristmill_crds::plan::least_memory`), sent compressed, so that all are fetched at once.
#[rstest::rstest]
#[case::rows(Shape::Rows, 8)]
#[case::text(Shape::Text, 8)]
#[case::reject(Shape::Reject, 2)]
fn messages_at_the_limit_fit_into_the_smallest_memory_that_is_named_for_them(
    #[case] shape: Shape,
    #[case] messages: usize,
) {
    let bytes = 5 * MIB;
    let memory = least_memory(bytes as u64);
    assert_eq!(memory, 128 << 20);
    let most = peak(shape, bytes, "128Mi", messages);
    println!("{shape:?} {messages}: {most} MiB");
    assert!(most as u64 <= memory >> 20, "{most} MiB");
}

#[test]
#[ignore = "prints what was measured, and takes minutes"]
fn table() {
    for memory in ["128Mi", "256Mi"] {
        for size in [1, 4, 8, 16] {
            for shape in [Shape::Rows, Shape::Text, Shape::Comment, Shape::Reject] {
                let peaks = [1, 2, 8].map(|messages| peak(shape, size * MIB, memory, messages));
                println!("{memory} {size} {shape:?} {peaks:?}");
            }
        }
    }
}
