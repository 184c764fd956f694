//! Rules of the sealed format that hold for every file, whatever its length and wherever it is damaged.
#[path = "support/esdk.rs"]
mod esdk;

use std::io::{IoSliceMut, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use esdk::{context, key_name, open, plaintext, refusal, seal};
use proptest::prelude::*;
use strongroom::sealed::{
    EncryptionContext, FRAME_LEN, Header, KeyName, MAX_HEADER_LEN, OpenError, Opening, Part, SealError, Sealer,
    SealingKey, Source,
};

const FRAME: usize = 128;

fn key() -> SealingKey {
    SealingKey::from_bytes(&[7; 32])
}

fn name() -> KeyName {
    key_name("strongroom/kek", "4a1e3f9c-7a53-4a36-9b51-2f6a4c1d0e77")
}

fn some_context() -> EncryptionContext {
    context(&[("artifact", "a1"), ("purpose", "model-file")])
}

fn sealed(len: usize) -> Vec<u8> {
    seal(&plaintext(len), &key(), &name(), &some_context(), FRAME as u32)
}

fn opening(sealed: &[u8]) -> Opening {
    let header = Header::parse(sealed).unwrap();
    header.authenticate(&name(), &key(), sealed.len() as u64, &some_context()).unwrap()
}

fn outcome(sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    open(sealed, &name(), &key(), &some_context())
}

#[test]
fn every_length_around_frame_edges_opens_to_itself() {
    for len in (0..=2 * FRAME + 1).chain(8 * FRAME - 1..=8 * FRAME + 1) {
        let sealed = sealed(len);
        assert_eq!(outcome(&sealed).unwrap(), plaintext(len), "{len}");
        assert_eq!(opening(&sealed).layout().frames(), len as u64 / FRAME as u64 + 1, "{len}");
    }
}

#[test]
fn an_exact_multiple_ends_in_an_empty_final_frame() {
    for frames in 1..4 {
        assert_eq!(opening(&sealed(frames * FRAME)).layout().final_frame_len(), 0);
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let whole = sealed(FRAME + 9);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(refusal(outcome(&flipped)), "opened", "bit {bit}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = sealed(2 * FRAME + 9);
    for len in 0..whole.len() {
        assert_ne!(refusal(outcome(&whole[..len])), "opened", "{len} bytes");
    }
}

#[test]
fn every_extension_is_refused() {
    let whole = sealed(FRAME + 9);
    for extra in 1..=2 * FRAME + 80 {
        for byte in [0, 0xff] {
            let mut longer = whole.clone();
            longer.resize(whole.len() + extra, byte);
            assert_ne!(refusal(outcome(&longer)), "opened", "{extra} bytes");
        }
    }
}

#[test]
fn frames_in_another_order_are_refused() {
    let mut whole = sealed(3 * FRAME);
    let first = Header::parse(&whole).unwrap().header_len();
    let (one, two) = whole[first..].split_at_mut(FRAME + 32);
    one.swap_with_slice(&mut two[..FRAME + 32]);
    assert_eq!(refusal(outcome(&whole)), "FrameSequence");
}

#[test]
fn a_file_in_the_place_of_another_is_refused_by_its_context() {
    let other = context(&[("artifact", "a2"), ("purpose", "model-file")]);
    let swapped = seal(&plaintext(9), &key(), &name(), &other, FRAME as u32);
    assert_eq!(refusal(outcome(&swapped)), "ContextMismatch");
}

#[test]
fn a_context_that_is_required_and_absent_is_told_from_a_wrong_key() {
    let bare = seal(&plaintext(9), &key(), &name(), &EncryptionContext::new(), FRAME as u32);
    assert_eq!(refusal(outcome(&bare)), "ContextMissing");
    let other = SealingKey::from_bytes(&[8; 32]);
    assert_eq!(refusal(open(&bare, &name(), &other, &some_context())), "WrongKey");
}

#[test]
fn frames_of_the_same_plaintext_under_the_same_key_are_not_exchangeable() {
    let (mut one, other) = (sealed(9), sealed(9));
    let header = Header::parse(&one).unwrap().header_len();
    one[header..].copy_from_slice(&other[header..]);
    assert_eq!(refusal(outcome(&one)), "FrameTag");
}

#[test]
fn the_namespace_of_aws_kms_is_refused_on_both_ways() {
    let kms = key_name("aws-kms", "k1");
    let outcome = Sealer::new(Vec::new(), &key(), &kms, &some_context()).map(|_| ());
    assert!(matches!(outcome, Err(SealError::ReservedNamespace)));
    assert_eq!(refusal(open(&sealed(9), &kms, &key(), &some_context())), "ReservedNamespace");
}

#[test]
fn a_data_key_that_is_not_of_a_raw_aes_key_is_foreign() {
    let ours = seal(b"", &key(), &key_name("abc-kms", "k1"), &EncryptionContext::new(), FRAME as u32);
    let place = ours.windows(7).position(|seven| seven == b"abc-kms").unwrap();
    let mut kms = ours.clone();
    kms[place..place + 3].copy_from_slice(b"aws");
    let mut shorter_tag = ours.clone();
    shorter_tag[place + 7 + 2 + 2 + 3] = 96;
    for (changed, provider) in [(kms, "aws-kms"), (shorter_tag, "abc-kms")] {
        let header = Header::parse(&changed).unwrap();
        assert_eq!((header.key_names(), header.foreign_providers()), (vec![], vec![provider]));
    }
}

#[test]
fn more_frames_than_sequence_numbers_are_refused() {
    let header = Header::parse(&sealed(0)).unwrap();
    let last = header.header_len() as u64 + (u64::from(u32::MAX) - 2) * 160 + 40;
    assert_eq!(header.layout(last).unwrap().frames(), u64::from(u32::MAX) - 1);
    assert_eq!(refusal(header.layout(last + 160)), "TooManyFrames");
    assert_eq!(refusal(header.layout(u64::MAX)), "TooManyFrames");
}

#[test]
fn what_no_reader_of_ours_accepts_is_not_sealed() {
    let seal_with = |context: &EncryptionContext, name: &KeyName, frame_len| {
        Sealer::with_frame_len(Vec::new(), &key(), name, context, frame_len).map(|_| ()).unwrap_err()
    };
    let none = EncryptionContext::new();
    let reserved = context(&[("aws-crypto-public-key", "x")]);
    assert!(matches!(seal_with(&reserved, &name(), 128), SealError::ReservedContextKey { .. }));
    let long = context(&[("k", &"v".repeat(8192))]);
    assert!(matches!(seal_with(&long, &name(), 128), SealError::ContextTooLong { len: 8199 }));
    let long_name = key_name("n", &"k".repeat(65_536));
    assert!(matches!(seal_with(&none, &long_name, 128), SealError::NameTooLong));
    let long_names = key_name(&"n".repeat(40_000), &"k".repeat(40_000));
    assert!(matches!(seal_with(&none, &long_names, 128), SealError::HeaderTooLong { .. }));
    for frame_len in [0, 64, 129, (16 << 20) + 128] {
        assert!(matches!(seal_with(&none, &name(), frame_len), SealError::FrameLen { .. }), "{frame_len}");
    }
}

#[test]
fn a_header_is_parsed_from_a_prefix_that_holds_more() {
    let whole = sealed(3 * FRAME);
    let header = Header::parse(&whole).unwrap();
    assert_eq!(header.key_names(), [name()]);
    assert_eq!(header.context(), &some_context());
    assert!(Header::parse(&whole[..header.header_len()]).is_ok());
    assert_eq!(refusal(Header::parse(&whole[..header.header_len() - 1])), "HeaderTruncated");
}

#[test]
fn a_header_is_never_read_beyond_its_bound() {
    let mut endless = sealed(9)[..35].to_vec();
    endless.extend([0, 0, 0, 8]);
    endless.resize(1 << 20, 0xff);
    assert_eq!(refusal(Header::parse(&endless)), "HeaderTooLong");
    endless.truncate(MAX_HEADER_LEN - 1);
    assert_eq!(refusal(Header::parse(&endless)), "HeaderTruncated");
}

#[test]
fn parts_cover_the_file_without_gap_and_open_in_any_order() {
    for (len, frames) in [(0, 1), (1, 1), (FRAME, 1), (5 * FRAME, 2), (5 * FRAME + 3, 3), (5 * FRAME, 100), (9, 0)] {
        let whole = sealed(len);
        let opening = opening(&whole);
        let parts = opening.parts(frames);
        let mut plain = vec![0; len];
        for part in parts.iter().rev() {
            let text = &mut plain[part.plain.start as usize..part.plain.end as usize];
            opening.open_part(part, &whole[part.sealed.start as usize..part.sealed.end as usize], text).unwrap();
        }
        assert_eq!(plain, plaintext(len), "{len} bytes, {frames} frames a part");
        assert!(parts.windows(2).all(|two| two[0].sealed.end == two[1].sealed.start));
        assert_eq!(parts.last().unwrap().sealed.end, whole.len() as u64);
    }
}

#[test]
fn a_part_of_another_shape_is_refused() {
    let whole = sealed(5 * FRAME);
    let opening = opening(&whole);
    let right = opening.parts(2).swap_remove(1);
    let shifted = Part { sealed: right.sealed.start + 1..right.sealed.end + 1, plain: right.plain.clone() };
    let elsewhere = Part { sealed: right.sealed.clone(), plain: 0..right.plain.end - right.plain.start };
    let reversed = Part { sealed: right.sealed.end..right.sealed.start, plain: 0..0 };
    let endless = Part { sealed: 0..u64::MAX, plain: u64::MAX..u64::MAX };
    for part in [shifted, elsewhere, reversed, endless] {
        let mut plain = vec![0; (part.plain.end - part.plain.start) as usize];
        assert_eq!(refusal(opening.open_part_from(&whole.as_slice(), &part, &mut plain)), "NotAPart", "{part:?}");
    }
    assert_eq!(refusal(opening.open_part(&right, &whole, &mut [0; 2 * FRAME])), "BufferLen");
    assert_eq!(refusal(opening.open_part_from(&whole.as_slice(), &right, &mut [0; FRAME])), "BufferLen");
}

#[test]
fn a_failure_leaves_no_plaintext_behind() {
    let mut whole = sealed(40 * FRAME);
    let opening = opening(&whole);
    let last = whole.len() - 1;
    whole[last] ^= 1;
    let mut plain = vec![0xaa; 40 * FRAME];
    assert_eq!(refusal(opening.open_all(&whole.as_slice(), &mut plain, 2)), "FrameTag");
    assert!(plain.iter().all(|byte| *byte == 0));
    let part = opening.parts(100).swap_remove(0);
    plain.fill(0xaa);
    let sealed_part = &whole[part.sealed.start as usize..];
    assert_eq!(refusal(opening.open_part(&part, sealed_part, &mut plain)), "FrameTag");
    assert!(plain.iter().all(|byte| *byte == 0));
}

/// Counts reads, and fails one of them.
struct Counted<'a> {
    bytes: &'a [u8],
    reads: AtomicUsize,
    fail_at: usize,
}

impl Source for Counted<'_> {
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> std::io::Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == self.fail_at {
            return Err(std::io::Error::other("gone"));
        }
        self.bytes.read_exact_at(offset, bufs)
    }
}

#[test]
fn no_body_byte_is_read_of_a_file_whose_size_does_not_fit() {
    let whole = sealed(2 * FRAME);
    let header = Header::parse(&whole).unwrap();
    let outcome = header.authenticate(&name(), &key(), whole.len() as u64 - 1, &some_context());
    assert_eq!(refusal(outcome), "Size");
}

#[test]
fn a_read_that_fails_ends_the_opening_and_wipes_it() {
    let whole = sealed(600 * FRAME);
    let source = Counted { bytes: &whole, reads: AtomicUsize::new(0), fail_at: 1 };
    let mut plain = vec![0xaa; 600 * FRAME];
    let error = opening(&whole).open_all(&source, &mut plain, 1).unwrap_err();
    assert!(matches!(error, OpenError::Read(_)), "{error:?}");
    assert_eq!(source.reads.load(Ordering::Relaxed), 2);
    assert!(plain.iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_opens_as_its_bytes_do_on_any_number_of_threads() {
    let plain = plaintext(3 * FRAME_LEN as usize + 5);
    let mut file = tempfile::tempfile().unwrap();
    let mut sealer = Sealer::new(&mut file, &key(), &name(), &some_context()).unwrap();
    sealer.write_all(&plain).unwrap();
    sealer.finish().unwrap();
    let len = file.metadata().unwrap().len();
    let mut prefix = vec![0; 4096];
    file.read_exact_at(0, &mut [IoSliceMut::new(&mut prefix)]).unwrap();
    for threads in [0, 1, 2, 7] {
        let header = Header::parse(&prefix).unwrap();
        let opening = header.authenticate(&name(), &key(), len, &some_context()).unwrap();
        let mut opened = vec![0; plain.len()];
        opening.open_all(&file, &mut opened, threads).unwrap();
        assert!(opened == plain, "{threads} threads");
    }
}

#[test]
fn a_file_that_ends_early_is_a_read_error() {
    let whole = sealed(9);
    let short = &whole[..whole.len() - 1];
    let outcome = opening(&whole).open_all(&short, &mut [0; 9], 1);
    assert!(matches!(outcome, Err(OpenError::Read(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof));
}

/// Takes the header, then nothing.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0 += 1;
        if self.0 > 1 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(buf.len()) }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn sealing_stops_for_good_at_the_first_failed_write() {
    let mut sealer = Sealer::with_frame_len(Full(0), &key(), &name(), &some_context(), 128).unwrap();
    assert!(sealer.write_all(&[0; FRAME]).is_err());
    assert!(matches!(sealer.finish(), Err(SealError::Incomplete)));
}

#[test]
fn two_seals_of_one_plaintext_share_nothing() {
    let (one, other) = (sealed(64), sealed(64));
    let (one_header, other_header) = (Header::parse(&one).unwrap(), Header::parse(&other).unwrap());
    assert_ne!(one_header.message_id(), other_header.message_id());
    assert_ne!(one[one_header.header_len() + 24..], other[other_header.header_len() + 24..]);
}

#[test]
fn a_strangers_text_is_escaped_and_cut_in_messages() {
    let hostile = key_name("\x1b[2J", &"k".repeat(60_000));
    let sealed = seal(b"", &key(), &hostile, &EncryptionContext::new(), FRAME as u32);
    let message = open(&sealed, &name(), &key(), &EncryptionContext::new()).unwrap_err().to_string();
    assert!(message.len() < 600 && !message.contains('\x1b'), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Header::parse(&bytes);
    }

    #[test]
    fn any_damage_to_a_header_is_refused(place in 0_usize..200, byte in any::<u8>(), len in 0_usize..300) {
        let mut whole = sealed(len);
        let place = place % Header::parse(&whole).unwrap().header_len();
        prop_assume!(whole[place] != byte);
        whole[place] = byte;
        prop_assert_ne!(refusal(outcome(&whole)), "opened");
    }

    #[test]
    fn any_plaintext_in_any_pieces_opens_to_itself(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
        frame_len in prop_oneof![Just(128_u32), Just(256), Just(1024)],
    ) {
        let mut sealer = Sealer::with_frame_len(Vec::new(), &key(), &name(), &some_context(), frame_len).unwrap();
        for piece in &pieces {
            sealer.write_all(piece).unwrap();
            sealer.flush().unwrap();
        }
        prop_assert_eq!(outcome(&sealer.finish().unwrap()).unwrap(), pieces.concat());
    }

    #[test]
    fn a_size_has_one_layout_or_none(sealed_len in any::<u64>(), small in 0_u64..3000) {
        let header = Header::parse(&sealed(0)).unwrap();
        for len in [sealed_len, small] {
            if let Ok(layout) = header.layout(len) {
                let frames = layout.frames();
                let rebuilt = header.header_len() as u64 + (frames - 1) * 160 + 40 + layout.final_frame_len();
                prop_assert_eq!(rebuilt, len);
                prop_assert!(layout.final_frame_len() <= 128);
                prop_assert_eq!(layout.plaintext_len(), (frames - 1) * 128 + layout.final_frame_len());
            }
        }
    }
}
