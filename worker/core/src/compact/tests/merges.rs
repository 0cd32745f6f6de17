//! Which files are put together.

use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{Directory, FileSize, FileSizes};

const SIZES: FileSizes = FileSizes { target: 256, small: 64, max_rows: None };

fn files(bytes: &[u64]) -> Vec<FileSize> {
    bytes.iter().map(|bytes| FileSize { bytes: *bytes, rows: 1 }).collect()
}

#[rstest]
#[case::three_wait(&[1, 2, 3], Directory::Untouched, &[])]
#[case::four_do_not(&[4, 1, 3, 2], Directory::Untouched, &[1, 3, 2, 0])]
#[case::the_file_of_the_run_counts(&[3, 1, 2], Directory::Written, &[1, 2, 0])]
#[case::two_and_the_run_wait(&[1, 2], Directory::Written, &[])]
#[case::large_ones_stay(&[300, 1, 200, 2, 3, 4, 64], Directory::Untouched, &[1, 3, 4, 5])]
#[case::nothing(&[], Directory::Written, &[])]
#[case::full_ones_stay(&[256; 50], Directory::Written, &[])]
#[case::nearly_full_ones_stay(&[200; 50], Directory::Untouched, &[])]
#[case::half_full_ones_until_there_are_four_too_many(&[130; 7], Directory::Untouched, &[])]
#[case::half_full_ones_then(&[100; 7], Directory::Untouched, &[0, 1, 2, 3, 4, 5, 6])]
fn files_are_put_together_once_four_are_too_many(
    #[case] bytes: &[u64],
    #[case] directory: Directory,
    #[case] expected: &[usize],
) {
    assert_eq!(SIZES.merged(&files(bytes), directory), expected);
}

#[test]
fn files_that_end_by_their_rows_are_not_small() {
    let sizes = FileSizes { max_rows: Some(100), ..SIZES };
    let of_rows = |rows| vec![FileSize { bytes: 1, rows }; 6];
    assert_eq!(sizes.merged(&of_rows(100), Directory::Written), Vec::<usize>::new());
    assert_eq!(sizes.merged(&of_rows(20), Directory::Written).len(), 6);
}

/// What a run leaves of a directory: outputs that end at the target, some of them a bit below it.
fn after(files: &[FileSize], sizes: FileSizes, added: u64, part_full: u64) -> Vec<FileSize> {
    let directory = if added > 0 { Directory::Written } else { Directory::Untouched };
    let merged = sizes.merged(files, directory);
    let mut left: Vec<FileSize> =
        (0..files.len()).filter(|index| !merged.contains(index)).map(|index| files[index]).collect();
    let mut bytes = merged.iter().map(|index| files[*index].bytes).sum::<u64>() + added;
    while bytes > 0 {
        let file = bytes.min(sizes.target * part_full / 100);
        left.push(FileSize { bytes: file, rows: 1 });
        bytes -= file;
    }
    left
}

proptest! {
    #[test]
    fn directory_never_has_many_more_files_than_its_bytes_need(
        hours in proptest::collection::vec(prop_oneof![Just(0), 1..40u64, 40..600u64], 1..80),
        part_full in 85..=100u64,
    ) {
        let mut files = Vec::new();
        for added in hours {
            files = after(&files, SIZES, added, part_full);
            // A file is full at three quarters of the target, and three may wait.
            let bytes: u64 = files.iter().map(|file| file.bytes).sum();
            let most = (bytes * 4).div_ceil(SIZES.target * 3) + 4;
            prop_assert!(files.len() as u64 <= most, "{files:?}");
        }
        let small = files.iter().filter(|file| file.bytes < SIZES.small).count();
        prop_assert!(small <= 3, "{files:?}");
    }

    #[test]
    fn directory_that_nothing_comes_to_comes_to_rest(
        bytes in proptest::collection::vec(1..300u64, 0..40),
        part_full in 85..=100u64,
    ) {
        let mut files = files(&bytes);
        for _ in 0..3 {
            files = after(&files, SIZES, 0, part_full);
        }
        prop_assert_eq!(SIZES.merged(&files, Directory::Untouched), Vec::<usize>::new());
    }
}
