use proptest::prelude::*;

use super::*;

fn digest() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

prop_compose! {
    fn provenance()(name in "[a-z. ]{1,255}", kind in "file|https://[a-z]{1,20}/v1", sha256 in digest()) -> Provenance {
        Provenance { name, kind, sha256 }
    }
}

prop_compose! {
    fn register()(
        model in "[a-z0-9][a-z0-9._-]{0,62}",
        version in "[0-9][0-9A-Za-z.+-]{0,62}",
        artifact in "[0-9a-f]{32}",
        kek in "[0-9a-f-]{36}",
        provenance in prop::collection::vec(provenance(), 0..33),
        mut blobs in prop::collection::vec(digest(), 1..1_001),
    ) -> Event {
        blobs.sort();
        Event::Register(Register { model, version, artifact, kek, file_index: blobs[0].clone(), provenance, blobs })
    }
}

prop_compose! {
    fn promote()(
        model in "[a-z0-9][a-z0-9._-]{0,62}",
        alias in "[a-z][a-z0-9._-]{0,62}",
        version in "[0-9][0-9A-Za-z.+-]{0,62}",
        index in any::<u64>(),
        sha256 in digest(),
        previous in prop::option::of("[0-9][0-9A-Za-z.+-]{0,62}"),
        back: bool,
    ) -> Event {
        Event::Promote(Promote { model, alias, version, register: EntryRef { index, sha256 }, previous, back })
    }
}

prop_compose! {
    fn erase()(
        model in "[a-z0-9][a-z0-9._-]{0,62}",
        version in "[0-9][0-9A-Za-z.+-]{0,62}",
        artifact in "[0-9a-f]{32}",
        index in any::<u64>(),
        sha256 in digest(),
    ) -> Event {
        Event::Erase(Erase { model, version, artifact, register: EntryRef { index, sha256 } })
    }
}

prop_compose! {
    fn rekey()(kek in "[0-9a-f-]{36}", artifacts: u64, keyslots in digest()) -> Event {
        Event::Rekey(Rekey { kek, artifacts, keyslots })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(event in prop_oneof![register(), promote(), erase(), rekey()], index: u64, prev in digest()) {
        let statement = Entry::statement(index, &prev, "2026-01-31T23:59:59Z", &event).unwrap();
        let digest = sha256_hex(&statement);
        let read = Entry::read(statement.into()).unwrap();
        prop_assert_eq!((read.index, read.prev, read.event), (index, prev, event));
        prop_assert_eq!((read.digest, read.signed), (digest, false));
    }

    #[test]
    fn an_unknown_field_anywhere_is_refused(event in promote(), place in any::<prop::sample::Index>()) {
        let statement = Entry::statement(0, NO_PREVIOUS, "", &event).unwrap();
        let text = std::str::from_utf8(&statement).unwrap();
        let braces: Vec<usize> = text.match_indices('{').map(|(at, _)| at + 1).collect();
        let mut altered = text.to_owned();
        altered.insert_str(*place.get(&braces), "\"more\":1,");
        prop_assert!(Entry::read(altered.into()).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        prop_assert!(Entry::read(bytes.into()).is_err());
    }
}
