//! Damaged, hostile and unsupported files: an error says what and where, and nothing panics.

use proptest::prelude::*;

use super::super::entropy::{Bits, Window};
use super::super::huffman::{Definition, Table};
use super::*;

fn refused(file: &[u8], scale: Scale) -> Refused {
    decode(file, scale, &LIMITS, &mut Buffers::default()).unwrap_err()
}

/// `file` with the bytes behind its first marker `marker` changed.
fn changed(file: &[u8], marker: u8, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = file.windows(2).position(|pair| pair == [0xFF, marker]).unwrap();
    change(&mut file[at + 1..]);
    file
}

#[test]
fn a_file_cut_off_anywhere_is_damaged() {
    for name in ["baseline_420_7x9", "progressive_420_7x9", "baseline_grey_restarts", "one_scan_each"] {
        let file = file(name);
        for length in 0..file.len() {
            for scale in [Scale::Full, Scale::Eighth] {
                let error = refused(&file[..length], scale);
                let Refused::Damaged { at, .. } = error else { panic!("{name} cut at {length}: {error}") };
                assert!(at <= length, "{name} cut at {length}: {error}");
            }
        }
    }
}

#[test]
fn a_scan_that_ends_early_is_damaged_though_the_file_goes_on() {
    for name in ["baseline_420_70x50", "progressive_420_70x50"] {
        let file = file(name);
        let scan = file.windows(2).position(|pair| pair == [0xFF, marker::SOS]).unwrap();
        let cut = [&file[..scan + 30], &file[file.len() - 2..]].concat();
        let error = refused(&cut, Scale::Eighth);
        let reason = "a scan ends before its picture";
        assert_eq!(error, Refused::Damaged { at: cut.len() - 2, reason }, "{name}");
    }
}

#[test]
fn what_is_not_decoded_here_says_so() {
    let file = file("baseline_420_33x17");
    let unsupported = |marker: u8, change: fn(&mut [u8])| refused(&changed(&file, marker, change), Scale::Half);
    for (change, reason) in [
        ((|frame| frame[0] = 0xC3) as fn(&mut [u8]), "that is lossless"),
        (|frame| frame[0] = 0xC5, "that is hierarchical"),
        (|frame| frame[0] = 0xC9, "with arithmetic coding"),
        (|frame| frame[3] = 12, "of other than 8 bits a sample"),
        (|frame| frame[4..6].fill(0), "whose height follows its first scan"),
        (|frame| frame[8] = 4, "with four components (CMYK)"),
        (|frame| frame[8] = 2, "of other than 1 or 3 components"),
        (|frame| (frame[10], frame[13]) = (0x31, 0x21), "whose components' sizes are no multiples of each other"),
    ] {
        assert_eq!(unsupported(0xC0, change), Refused::Unsupported(reason));
    }
    let mut with_lines = file[..file.len() - 2].to_vec();
    with_lines.extend([0xFF, marker::DNL, 0, 4, 0, 17, 0xFF, marker::EOI]);
    let reason = "whose height follows its first scan";
    assert_eq!(refused(&with_lines, Scale::Half), Refused::Unsupported(reason));
    assert_eq!(
        refused(&changed(&file, 0xC0, |frame| frame[0] = 0xC9), Scale::Half).to_string(),
        "a JPEG with arithmetic coding is not decoded here"
    );
}

#[test]
fn what_the_format_forbids_is_damaged() {
    let (baseline, progressive) = (file("baseline_420_33x17"), file("progressive_420_33x17"));
    type Change = fn(&mut [u8]);
    let cases: [(&[u8], u8, Change, &str); 13] = [
        (&baseline, 0xC0, |frame| frame[6..8].fill(0), "it is 0 pixels wide"),
        (&baseline, 0xC0, |frame| frame[10] = 0x52, "a sampling factor is not 1 to 4"),
        (&baseline, 0xC0, |frame| frame[11] = 4, "a component's quantisation table is not 0 to 3"),
        (&baseline, 0xC0, |frame| frame[12] = 1, "two components have the same number"),
        (&baseline, 0xC0, |frame| frame[10] = 0x44, "an MCU of more than 10 blocks"),
        (
            &baseline,
            marker::DHT,
            |table| table[4..20].copy_from_slice(&[0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            "a Huffman table has too many codes",
        ),
        (&baseline, marker::DQT, |table| table[3] = 0x20, "a quantisation table of neither 8 nor 16 bits"),
        (&baseline, marker::DQT, |table| table[3] = 2, "a scan needs a table that is not defined"),
        (&baseline, marker::SOS, |scan| scan[4] = 7, "a scan of a component that is not in the frame"),
        (&baseline, marker::SOS, |scan| scan[6] = 1, "a scan's components are not in the frame's order"),
        (&progressive, marker::SOS, |scan| scan[11] = 5, "a progressive scan of coefficients that do not go together"),
        (&progressive, marker::SOS, |scan| scan[12] = 0x31, "a progressive scan does not refine by one bit"),
        (&baseline, 0xE0, |first| first[0] = 0, "no marker where one is due"),
    ];
    for (file, marker, change, expected) in cases {
        let error = refused(&changed(file, marker, change), Scale::Half);
        assert!(matches!(error, Refused::Damaged { reason, .. } if reason == expected), "{expected}: {error}");
    }
}

#[test]
fn a_missing_or_wrong_restart_marker_is_damaged() {
    let file = file("baseline_420_restarts");
    for (changed_to, reason) in [
        (marker::RST0 + 1, "no restart marker where one is due"),
        (0x00, "no restart marker where one is due"),
        (marker::EOI, "no restart marker where one is due"),
    ] {
        let changed = changed(&file, marker::RST0, |restart| restart[0] = changed_to);
        let error = refused(&changed, Scale::Half);
        assert!(matches!(error, Refused::Damaged { reason: found, .. } if found == reason), "{error}");
    }
}

#[test]
fn more_than_allowed_is_refused_before_it_is_held() {
    let large = changed(&file("progressive_420_33x17"), 0xC2, |frame| frame[4..8].fill(0xFF));
    let decode = |limits| decode(&large, Scale::Full, &limits, &mut Buffers::default()).unwrap_err();
    let error = decode(LIMITS);
    assert_eq!(error.to_string(), "the JPEG needs 65535 x 65535 pixels, at most 40000000 pixels are allowed");
    let error = decode(Limits { pixels: u64::MAX, ..LIMITS });
    assert!(error.to_string().ends_with("bytes, at most 268435456 bytes are allowed"), "{error}");
}

/// Tables whose one code is a 0: of DC for no difference, of AC for `symbol`; and then one scan of the bytes `scan`.
fn of_one_code(name: &str, symbol: u8, band: [u8; 2], scan: &[u8]) -> Vec<u8> {
    let mut file = file(name);
    file.truncate(file.windows(2).position(|pair| pair == [0xFF, marker::SOS]).unwrap());
    for (table, symbol) in [(0x00, 0), (0x10, symbol)] {
        file.extend([0xFF, marker::DHT, 0, 20, table, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, symbol]);
    }
    file.extend([0xFF, marker::SOS, 0, 8, 1, 1, 0, band[0], band[1], 0]);
    file.extend(scan);
    file.extend([0xFF, marker::EOI]);
    file
}

#[test]
fn a_code_that_is_in_no_table_or_leads_out_of_its_block_is_damaged() {
    for (name, band) in [("baseline_grey_70x50", [0, 63]), ("progressive_grey_70x50", [1, 63])] {
        for (symbol, scan, what) in [(0xF1, 0x00, "15 zeros and a one, 4 times"), (0x00, 0xAA, "a code of ones")] {
            for scale in if band[0] == 0 { vec![Scale::Full, Scale::Half, Scale::Eighth] } else { vec![Scale::Full] } {
                let error = refused(&of_one_code(name, symbol, band, &[scan; 64]), scale);
                let Refused::Damaged { reason, .. } = error else { panic!("{name}: {what}: {error}") };
                assert_eq!(reason, "a code near here is in no table, or leads out of its block", "{name}: {what}");
            }
        }
    }
}

#[test]
fn a_scan_that_brings_nothing_new_is_damaged() {
    for name in ["progressive_grey_70x50", "one_scan_each"] {
        let file = file(name);
        let scan = file.windows(2).rposition(|pair| pair == [0xFF, marker::SOS]).unwrap();
        let again = [&file[..file.len() - 2], &file[scan..]].concat();
        let reason = "a scan that does not follow on the ones before it";
        assert_eq!(refused(&again, Scale::Half), Refused::Damaged { at: file.len() - 2, reason }, "{name}");
    }
}

#[test]
fn scans_without_end_are_refused() {
    let file = file("progressive_grey_70x50");
    let first = file.windows(2).position(|pair| pair == [0xFF, marker::SOS]).unwrap();
    let scan = |at: u8, bits: u8| {
        let header = [0xFF, marker::SOS, 0, 8, 1, 1, 0, at, at, bits];
        [&header[..], &[0; 8]].concat() // of 63 blocks a bit each: nothing new, or the code of one bit for that
    };
    let mut many = file[..first].to_vec();
    for table in [0x00, 0x10] {
        many.extend([0xFF, marker::DHT, 0, 20, table, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    (0..64).for_each(|at| many.extend(scan(at, 0x01)));
    let end = [0xFF, marker::EOI];
    let grey = decoded(&[&many[..], &end].concat(), Scale::Half);
    assert!(grey.iter().all(|sample| *sample == 128));
    let error = refused(&[&many[..], &scan(0, 0x10), &end].concat(), Scale::Half);
    assert_eq!(error, Refused::Unsupported("of more than 64 scans"));
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(files()).prop_map(|(_, file)| file)
}

fn any_scale() -> impl Strategy<Value = Scale> {
    proptest::sample::select(Scale::ALL.to_vec())
}

/// A table of 1 to 30 codes, as long as their number allows or longer.
fn any_table() -> impl Strategy<Value = Definition> {
    let lengths = proptest::collection::vec(1u32..=16, 1..30);
    (lengths, proptest::collection::vec(any::<u8>(), 30)).prop_map(|(mut lengths, symbols)| {
        lengths.sort_unstable();
        let (mut counts, mut free, mut length, mut used) = ([0u8; 16], 2u32, 1u32, 0);
        for wanted in lengths {
            while length < wanted || free == 0 {
                if length == 16 {
                    break;
                }
                (length, free) = (length + 1, free * 2);
            }
            if free > 0 {
                (counts[length as usize - 1], free, used) = (counts[length as usize - 1] + 1, free - 1, used + 1);
            }
        }
        Definition::read(&[&counts[..], &symbols[..used]].concat()).unwrap().0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Only `0xFF` and what follows it is likely to matter, so bytes are changed to it more often than by chance.
    #[test]
    fn a_mutated_file_is_decoded_or_refused(
        mut file in any_file(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4), 1..12),
        scale in any_scale(),
    ) {
        for (at, byte, kind) in changes {
            let at = at.index(file.len());
            match kind {
                0 => file[at] = 0xFF,
                1 => file[at] = byte,
                2 => file[at] ^= 1 << (byte % 8),
                _ => drop(file.remove(at)),
            }
        }
        let limits = Limits { pixels: 1_000_000, bytes: 64 << 20 };
        if let Ok(image) = decode(&file, scale, &limits, &mut Buffers::default()) {
            let header = Header::read(&file).unwrap();
            let side = |full: u32| (full * scale as u32).div_ceil(8);
            prop_assert_eq!(image.dimensions(), (side(header.width), side(header.height)));
        }
    }

    /// Wherever codes lie: what is passed is what reading them one by one passes.
    #[test]
    fn passing_several_symbols_at_once_passes_the_same(
        definition in any_table(),
        bytes in proptest::collection::vec(0u8..255, 100..200),
        from in 1usize..64,
    ) {
        let passed = |table: Table| {
            let mut window = Window::default();
            let mut bits = Bits::new(&bytes, 0, &mut window);
            let mut after = Vec::new();
            for _ in 0..4 {
                let refused = table.skip(&mut bits, from).is_err();
                bits.refill();
                after.push((refused, bits.peek::<31>()));
                if refused {
                    break;
                }
            }
            after
        };
        prop_assert_eq!(passed(Table::new(&definition).with_skip()), passed(Table::new(&definition)));
    }
}
