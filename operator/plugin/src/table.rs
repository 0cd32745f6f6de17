//! Text for a terminal: tables of at most 100 columns, paragraphs, ages. Pure.

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a terminal that nothing here exceeds.
pub const WIDTH: usize = 100;

/// Between two columns of a table.
const GAP: usize = 2;

/// A name is cut no further while something else can be.
const LEAST_NAME: usize = 8;

/// What stands for what was cut out.
const ELLIPSIS: char = '…';

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Names and words, set left; cut in the middle when space is short.
    Text(&'static str),
    /// Figures, set right; cut only when no text is left to be.
    Figure(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Column::Text(title) | Column::Figure(title) => title,
        }
    }
}

/// Rows under titles.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no row.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; what it lacks is empty.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as lines; empty without rows.
    pub fn render(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths = self.widths();
        let titles: Vec<String> = self.columns.iter().map(|column| column.title().to_owned()).collect();
        std::iter::once(&titles).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((column, cell), width) in self.columns.iter().zip(cells).zip(widths) {
            let cell = cut(cell, *width);
            let space = " ".repeat(width - cell.width());
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            match column {
                Column::Text(_) => line.extend([cell, space]),
                Column::Figure(_) => line.extend([space, cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width());
            cells.max().unwrap_or(0).max(column.title().width())
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(widest).collect();
        let available = WIDTH.saturating_sub(GAP * widths.len().saturating_sub(1));
        // The widest is cut first, so that short names stay whole.
        for is_spared in [true, false] {
            while widths.iter().sum::<usize>() > available {
                let may_be_cut = |(index, width): &(usize, &mut usize)| match self.columns[*index] {
                    Column::Text(_) => **width > if is_spared { LEAST_NAME } else { 1 },
                    Column::Figure(_) => !is_spared && **width > 1,
                };
                let widest = widths.iter_mut().enumerate().filter(may_be_cut).max_by_key(|(_, width)| **width);
                let Some((_, width)) = widest else { break };
                *width -= 1;
            }
        }
        widths
    }
}

/// A text of at most this width; its middle is left out where it is longer, since names differ at both ends.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head = take(text.chars(), kept.div_ceil(2));
    let tail: String = take(text.chars().rev(), kept / 2).chars().rev().collect();
    if width == 0 { String::new() } else { format!("{head}{ELLIPSIS}{tail}") }
}

fn take(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    let fits = |character: &char| {
        let needed = character.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    };
    characters.take_while(fits).collect()
}

/// A paragraph in lines of at most [`WIDTH`] columns, each with this indent.
pub fn paragraph(text: &str, indent: usize) -> String {
    let room = WIDTH - indent;
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for mut word in printable(text).split_whitespace().map(str::to_owned) {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        // A URL may be longer than a line.
        while word.width() > room {
            let head = take(word.chars(), room);
            word = word.split_off(head.len());
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.iter().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

/// A terminal must not obey what a message says.
pub fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A duration as kubectl writes it: its largest unit, from two on.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Time since a moment (RFC 3339); empty without one.
pub fn since(time: Option<&str>, now: Timestamp) -> String {
    let time = time.and_then(|time| time.parse::<Timestamp>().ok());
    time.map(|time| duration(now.duration_since(time).as_secs())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_in_the_middle_and_figures_stay_whole() {
        let mut table = Table::new(&[Column::Text("NAME"), Column::Text("TOPIC"), Column::Figure("LAG")]);
        table.row(["books".into(), "t".into(), "7".into()]);
        table.row(["a".repeat(40) + "-first", "topic-".to_owned() + &"b".repeat(249), i64::MAX.to_string()]);
        insta::assert_snapshot!(table.render(), @r"
        NAME                                     TOPIC                                                   LAG
        books                                    t                                                         7
        aaaaaaaaaaaaaaaaaaa…aaaaaaaaaaaaa-first  topic-bbbbbbbbbbbbb…bbbbbbbbbbbbbbbbbb  9223372036854775807
        ");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_whatever_stands_in_it() {
        for columns in [1, 3, 12] {
            for text in ["書".repeat(120), "x".repeat(400), "\u{1b}[31mred\n".repeat(30)] {
                let columns: Vec<Column> = (0..columns)
                    .map(|number| if number % 2 == 0 { Column::Text("NAME") } else { Column::Figure("N") })
                    .collect();
                let mut table = Table::new(&columns);
                table.rows.push(vec![printable(&text); columns.len()]);
                let rendered = table.render() + &paragraph(&text, 4);
                assert!(rendered.lines().all(|line| line.width() <= WIDTH), "{rendered}");
                assert!(!rendered.contains('\u{1b}'), "{rendered:?}");
            }
        }
    }

    #[test]
    fn paragraph_breaks_between_words_and_a_long_word_anywhere() {
        let text = format!("word {} end", "u".repeat(120));
        insta::assert_snapshot!(paragraph(&text, 2), @r"
        word
        uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu
        uuuuuuuuuuuuuuuuuuuuuu end
        ");
    }

    #[rstest::rstest]
    #[case(-5, "0s")]
    #[case(119, "119s")]
    #[case(120, "2m")]
    #[case(7_200, "2h")]
    #[case(172_800, "2d")]
    fn duration_has_one_unit(#[case] seconds: i64, #[case] expected: &str) {
        assert_eq!(duration(seconds), expected);
    }
}
