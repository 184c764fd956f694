//! Bodies of records: however they arrive, the same records are cut out of them.

use bytes::Bytes;
use proptest::prelude::*;
use strongroom::bundle::Limits;
use strongroom::predict::PredictError;
use strongroom::predict::Request;
use strongroom::predict::request::{self, Item, RawRow, Reads, Records, Terms};

const LINES: &str = "application/jsonlines";
const CSV: &str = "text/csv";
const ROWS: &str = "application/x-recordio-protobuf";
const IMAGES: &str = "application/x-recordio";

const LIVE: Terms = Terms { record_bytes: 1 << 20, records: Some(10_000), every_line: false };
const JOB: Terms = Terms { record_bytes: 1 << 20, records: None, every_line: true };

/// What each record comes to, as text; or the error that fails the whole.
fn cut(media_type: &str, reads: Reads, terms: Terms, parts: &[&[u8]], most: usize) -> Result<Vec<String>, String> {
    let mut records = request::records(Some(media_type), reads, terms).unwrap().expect("it has records");
    let mut found = Vec::new();
    for part in parts {
        records.push(part);
        take(&mut records, reads, most, &mut found)?;
    }
    records.end();
    take(&mut records, reads, most, &mut found)?;
    records.check_some().map_err(|error| error.to_string())?;
    Ok(found)
}

/// Reads the groups that are there.
fn take(records: &mut Records, reads: Reads, most: usize, found: &mut Vec<String>) -> Result<(), String> {
    while let Some(group) = records.next_group(most).map_err(|error| error.to_string())? {
        let (first, count) = (group.first(), group.count());
        assert!((1..=most).contains(&count) && first == found.len());
        found.extend(group.read(reads, &Limits::default()).into_iter().map(shown));
        assert_eq!(found.len(), first + count);
    }
    Ok(())
}

fn shown(item: Result<Item, PredictError>) -> String {
    match item {
        Ok(item) => format!("{item:?}"),
        Err(error) => error.to_string(),
    }
}

fn whole(media_type: &str, reads: Reads, body: &[u8]) -> Result<Vec<String>, String> {
    let request = Request { media_type: Some(media_type.to_owned()), accept: None, body: Bytes::copy_from_slice(body) };
    let decoded = request::decode(&request, reads, &Limits::default()).map_err(|error| error.to_string())?;
    Ok(decoded.items.into_iter().map(shown).collect())
}

fn framed(part: u32, record: &[u8]) -> Vec<u8> {
    let word = (part << 29 | record.len() as u32).to_le_bytes();
    let padding = vec![0; record.len().next_multiple_of(4) - record.len()];
    [&MAGIC[..], &word, record, &padding].concat()
}

const MAGIC: [u8; 4] = 0xced7_230a_u32.to_le_bytes();

/// A row of CSV: numbers, words, quoted cells with commas, quotes and line ends in them.
fn csv_line() -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        4 => (-1000i32..1000).prop_map(|number| number.to_string()),
        1 => Just(String::new()),
        1 => "[a-z]{1,3}",
        1 => "\"(\"\"|,|\r\n|\n|x|1){0,4}\"",
        1 => "1\"[\"0-9]{0,2}",
    ];
    (prop::collection::vec(cell, 1..4), prop::sample::select(vec!["\n", "\r\n", "\r"]))
        .prop_map(|(cells, end)| cells.join(",") + end)
}

fn json_line() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["[1,2]\n", "{\"a\":1}\r\n", "\n", " \n", "nonsense\n", "[3]\n", "{\"features\":[1]}\n"])
        .prop_map(str::to_owned)
}

fn split<'b>(body: &'b [u8], places: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(body.len() + 1)).collect();
    ends.extend([0, body.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn lines_are_the_same_however_they_arrive(
        csv in any::<bool>(),
        job in any::<bool>(),
        lines in prop::collection::vec(prop_oneof![csv_line(), json_line()], 0..12),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        most in 1usize..5,
    ) {
        let (media_type, body) = (if csv { CSV } else { LINES }, lines.concat());
        let terms = if job { JOB } else { LIVE };
        let at_once = cut(media_type, Reads::Rows, terms, &[body.as_bytes()], usize::MAX);
        let in_parts = cut(media_type, Reads::Rows, terms, &split(body.as_bytes(), &places), most);
        prop_assert_eq!(&at_once, &in_parts);
        if !job {
            prop_assert_eq!(at_once, whole(media_type, Reads::Rows, body.as_bytes()));
        }
    }

    #[test]
    fn framed_records_are_the_same_however_they_arrive(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let body: Vec<u8> = records.iter().flat_map(|record| framed(0, record)).collect();
        let expected: Vec<String> =
            records.iter().map(|record| format!("{:?}", Item::Image(Bytes::copy_from_slice(record)))).collect();
        let parts = split(&body, &places);
        prop_assert_eq!(cut(IMAGES, Reads::Images, LIVE, &parts, 2), Ok(expected));
    }

    #[test]
    fn arbitrary_records_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..300),
        framing in prop::sample::select(vec![LINES, CSV, ROWS]),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let body = if framing == ROWS { [&MAGIC[..], &body].concat() } else { body };
        let _ = cut(framing, Reads::Rows, JOB, &split(&body, &places), 3);
    }

    #[test]
    fn a_jobs_lines_are_as_many_as_its_line_ends(lines in prop::collection::vec("[ -!#-~]{0,6}", 0..20)) {
        let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        for media_type in [LINES, CSV] {
            let found = cut(media_type, Reads::Rows, JOB, &[body.as_bytes()], usize::MAX);
            if !lines.is_empty() {
                prop_assert_eq!(found.map(|found| found.len()), Ok(lines.len()), "{}", media_type);
            }
        }
    }
}

#[test]
fn a_record_that_was_split_at_its_magic_number_is_joined_again() {
    let jpeg = include_bytes!("images/rgb.jpg");
    let (first, last) = jpeg.split_at(40);
    let body = [framed(1, first), framed(2, b"abcd"), framed(3, last)].concat();
    let joined = [first, &MAGIC, b"abcd", &MAGIC, last].concat();
    let expected = format!("{:?}", Item::Image(joined.into()));
    assert_eq!(cut(IMAGES, Reads::Images, LIVE, &[&body], 1), Ok(vec![expected]));
    for broken in
        [framed(2, b"abcd"), framed(3, b"abcd"), framed(4, b"abcd"), [framed(1, b"abcd"), framed(0, b"")].concat()]
    {
        assert!(cut(IMAGES, Reads::Images, LIVE, &[&broken], 1).is_err());
    }
}

#[test]
fn an_image_is_found_behind_the_header_that_packed_it() {
    let jpeg = include_bytes!("images/rgb.jpg");
    for labels in [0_usize, 1, 7] {
        let header = [&(labels as u32).to_le_bytes()[..], &[0; 20], &vec![1; labels * 4]].concat();
        let body = framed(0, &[&header, &jpeg[..]].concat());
        let expected = format!("{:?}", Item::Image(Bytes::from_static(jpeg)));
        assert_eq!(cut(IMAGES, Reads::Images, LIVE, &[&body], 1), Ok(vec![expected]), "{labels}");
    }
    let single = format!("{:?}", Item::Image(Bytes::from_static(jpeg)));
    assert_eq!(cut(IMAGES, Reads::Images, LIVE, &[jpeg], 1), Ok(vec![single]));
}

#[test]
fn a_quoted_line_end_is_no_line_end() {
    let rows = |body: &[u8]| cut(CSV, Reads::Rows, LIVE, &[body], 10).unwrap();
    assert_eq!(rows(b"\"a\nb\",c\n1,2\n").len(), 1);
    assert_eq!(rows(b"\"1\",\"2\"\n3,4\n"), rows(b"1,2\r\n3,4"));
    assert_eq!(
        rows(b"\xEF\xBB\xBF\"a\"\n1\n"),
        vec![format!("{:?}", Item::Row(RawRow::Named { names: ["a".to_owned()].into(), values: vec![1.0] }))]
    );
    assert_eq!(rows(b"5\n1\"2\n3\n").len(), 3);
}

#[test]
fn a_record_is_bounded_and_so_is_their_number() {
    let terms = Terms { record_bytes: 10, records: Some(3), every_line: false };
    for (body, expected) in [
        (&b"[1,2,3,4,5,6]\n"[..], "longer than 10 bytes"),
        (b"[1,2,3,4,5,6", "longer than 10 bytes"),
        (b"[1]\n[1]\n[1]\n[1]\n[1]\n", "5 items in one request; at most 3"),
    ] {
        let error = cut(LINES, Reads::Rows, terms, &[body], 2).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
