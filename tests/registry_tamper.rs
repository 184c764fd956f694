//! Whoever may write to the store but has no key: what he alters is refused, and the refusal names stage and object.

#[path = "support/registry.rs"]
mod support;

use std::io::Write;
use std::path::{Path, PathBuf};

use strongroom::keys::{KEK_NAMESPACE, KeySource};
use strongroom::registry::{ARTIFACT_NAMESPACE, Fetched, Registry, RegistryError, Stage};
use strongroom::sealed::{KeyName, Sealer, open_keyslot};
use support::{Place, chain, files, flip, model, overwrite, publish, publish_live};

/// A published model of two small files and one of three frames.
struct Victim {
    place: Place,
    registry: Registry,
    files: strongroom::bundle::Files,
}

impl Victim {
    async fn new() -> Self {
        let place = Place::directory();
        let (registry, files) = (place.open().await, files(1, &[40, 50, (2 << 20) + 7]));
        publish_live(&registry, "1.0.0", &files).await;
        Self { place, registry, files }
    }

    async fn fetch(&self) -> Result<Fetched, RegistryError> {
        self.registry.fetch(&model("model")).await
    }

    /// The refusal of what was done to `object`; afterwards the object is as it was.
    async fn refusal(&self, object: &Path, alter: impl FnOnce(&Path)) -> RegistryError {
        let intact = std::fs::read(object).unwrap();
        alter(object);
        let error = self.fetch().await.err().unwrap_or_else(|| panic!("{} altered and served", object.display()));
        let key = object.strip_prefix(self.place.root()).unwrap().to_str().unwrap();
        let text = chain(&error);
        assert!(text.contains(key) || key.starts_with(object_of(&error)), "{text} does not name {key}");
        if object.exists() {
            overwrite(object, &intact)
        } else {
            std::fs::write(object, &intact).unwrap()
        }
        error
    }

    /// The sealed files by the size of what they hold: the file index first among the small ones is told by its size.
    fn blobs(&self) -> Vec<PathBuf> {
        let mut blobs = self.place.objects("blobs");
        blobs.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
        blobs
    }
}

fn object_of(error: &RegistryError) -> &str {
    match error {
        RegistryError::Store { object, .. }
        | RegistryError::WrongKey { object, .. }
        | RegistryError::Open { object, .. }
        | RegistryError::Damaged { object, .. } => object,
        other => panic!("{other} names no object"),
    }
}

fn stage_of(error: &RegistryError) -> Stage {
    match error {
        RegistryError::Store { stage, .. }
        | RegistryError::Open { stage, .. }
        | RegistryError::Damaged { stage, .. } => *stage,
        other => panic!("{other} names no stage"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_byte_of_a_sealed_object_is_refused() {
    let victim = Victim::new().await;
    let blobs = victim.blobs();
    let (first, second, index, large) = (&blobs[0], &blobs[1], &blobs[2], &blobs[3]);
    let keyslot = victim.place.only_object("keyslots");
    for (object, stage) in
        [(first, Stage::Blob), (second, Stage::Blob), (index, Stage::FileIndex), (&keyslot, Stage::Keyslot)]
    {
        for at in 0..std::fs::metadata(object).unwrap().len() as usize {
            let error = victim.refusal(object, |object| flip(object, at)).await;
            assert_eq!(stage_of(&error), stage, "byte {at}: {}", chain(&error));
        }
    }
    // Header, first frame's number and content, a tag in the middle, the final frame.
    let len = std::fs::metadata(large).unwrap().len() as usize;
    for at in [0, 40, 300, 1 << 19, (1 << 20) + 400, len - 60, len - 1] {
        assert_eq!(stage_of(&victim.refusal(large, |object| flip(object, at)).await), Stage::Blob, "byte {at}");
    }
    assert!(victim.fetch().await.unwrap().files == victim.files, "restored, it serves again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_byte_of_the_register_entry_is_refused() {
    let victim = Victim::new().await;
    let entry = victim.place.objects("log").remove(0);
    for at in 0..std::fs::metadata(&entry).unwrap().len() as usize {
        assert_eq!(stage_of(&victim.refusal(&entry, |object| flip(object, at)).await), Stage::Log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_unsigned_alias_never_serves_other_content() {
    let victim = Victim::new().await;
    let alias = victim.place.only_object("aliases");
    let intact = std::fs::read(&alias).unwrap();
    for at in 0..intact.len() {
        flip(&alias, at);
        if let Ok(fetched) = victim.fetch().await {
            assert!(fetched.files == victim.files, "byte {at}");
        }
        overwrite(&alias, &intact);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_extended_or_missing_object_is_refused() {
    let victim = Victim::new().await;
    let mut objects = victim.blobs();
    objects.push(victim.place.only_object("keyslots"));
    objects.push(victim.place.objects("log").remove(0));
    objects.push(victim.place.only_object("aliases"));
    for object in &objects {
        let bytes = std::fs::read(object).unwrap();
        let shorter = |by: usize| bytes[..bytes.len() - by].to_vec();
        for other in [shorter(1), shorter(bytes.len() / 2), Vec::new(), [&bytes[..], b"}"].concat()] {
            victim.refusal(object, |object| overwrite(object, &other)).await;
        }
    }
    objects.pop();
    for object in &objects {
        victim.refusal(object, |object| std::fs::remove_file(object).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_of_one_artifact_cannot_be_swapped() {
    let victim = Victim::new().await;
    let blobs = victim.blobs();
    let other = std::fs::read(&blobs[1]).unwrap();
    let error = victim.refusal(&blobs[0], |object| overwrite(object, &other)).await;
    let text = chain(&error);
    assert!(text.contains("sealed as") && text.contains("expected"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_and_a_keyslot_of_another_artifact_are_refused() {
    let victim = Victim::new().await;
    let before = [victim.place.objects("blobs"), victim.place.objects("keyslots")].concat();
    publish(&victim.registry, "2.0.0", &files(8, &[40, 50, (2 << 20) + 7])).await.unwrap();
    let is_new = |path: &PathBuf| !before.contains(path);
    let mut strangers: Vec<_> = victim.place.objects("blobs").into_iter().filter(is_new).collect();
    strangers.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    let mut own: Vec<_> = before[..4].to_vec();
    own.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    for (own, stranger) in own.iter().zip(&strangers) {
        let stranger = std::fs::read(stranger).unwrap();
        victim.refusal(own, |object| overwrite(object, &stranger)).await;
    }
    let stranger = victim.place.objects("keyslots").into_iter().find(is_new).unwrap();
    let stranger = std::fs::read(stranger).unwrap();
    let error = victim.refusal(&before[4], |object| overwrite(object, &stranger)).await;
    assert_eq!(stage_of(&error), Stage::Keyslot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_key_holder_sealed_anew_is_refused_by_the_list() {
    let victim = Victim::new().await;
    let kek = victim.registry.keys.current().await.unwrap();
    let keyslot = victim.place.only_object("keyslots");
    let id = keyslot.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let name = |namespace: &str, name: &str| KeyName { namespace: namespace.into(), name: name.into() };
    let key = open_keyslot(&std::fs::read(&keyslot).unwrap(), &name(KEK_NAMESPACE, &kek.name), &kek.key, id).unwrap();
    let context = [("purpose", "model-file"), ("artifact", id), ("file", "0")];
    let context = context.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut sealer = Sealer::new(Vec::new(), &key, &name(ARTIFACT_NAMESPACE, id), &context).unwrap();
    sealer.write_all(&[0; 40]).unwrap();
    let forged = sealer.finish().unwrap();
    let error = victim.refusal(&victim.blobs()[0], |object| overwrite(object, &forged)).await;
    assert!(chain(&error).contains("its plaintext has the digest"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_entry_cannot_pass_one_artifact_for_another_version() {
    let victim = Victim::new().await;
    // A bucket writer rewrites the unsigned log and alias: version 9.9.9, the old artifact.
    let root = victim.place.root();
    let entry = victim.place.objects("log").remove(0);
    let forged = std::fs::read_to_string(&entry).unwrap().replace("1.0.0", "9.9.9");
    let old = strongroom::sealed::digest::sha256_hex(&std::fs::read(&entry).unwrap());
    let new = strongroom::sealed::digest::sha256_hex(forged.as_bytes());
    overwrite(&entry, forged.as_bytes());
    let alias = root.join("aliases/model/live.json");
    let forged = std::fs::read_to_string(&alias).unwrap().replace("1.0.0", "9.9.9").replace(&old, &new);
    overwrite(&alias, forged.as_bytes());
    let error = victim.fetch().await.err().unwrap();
    assert_eq!(stage_of(&error), Stage::FileIndex);
    assert!(chain(&error).contains("lists the files of model:1.0.0, expected model:9.9.9"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_log_is_refused_by_who_reads_all_of_it() {
    let victim = Victim::new().await;
    let entry = victim.place.objects("log").remove(0);
    let altered = std::fs::read_to_string(&entry).unwrap().replace("\"created\":\"20", "\"created\":\"19");
    overwrite(&entry, altered.as_bytes());
    let error = victim.registry.fetch(&model("model:1.0.0")).await.err().unwrap();
    assert_eq!(stage_of(&error), Stage::Log);
    assert!(chain(&error).contains("log/00000000000000000001.json: prev is"), "{}", chain(&error));
    let error = publish(&victim.registry, "2.0.0", &files(2, &[10])).await.unwrap_err();
    assert_eq!(stage_of(&error), Stage::Log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_or_deep_statement_is_refused_before_it_is_parsed() {
    let victim = Victim::new().await;
    let alias = victim.place.only_object("aliases");
    for hostile in [vec![b' '; 300 * 1024], "[".repeat(100_000).into_bytes(), b"{\"predicateType\":\"x\"}".to_vec()] {
        let error = victim.refusal(&alias, |object| overwrite(object, &hostile)).await;
        assert_eq!(stage_of(&error), Stage::Alias);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_named_together_with_the_one_that_is_needed() {
    let victim = Victim::new().await;
    let needed = victim.registry.keys.current().await.unwrap().name.clone();
    let other = KeySource::File(support::key_file(victim.place.scratch.path(), "other", 8));
    let registry = victim.place.open_with(&other).await;
    let error = registry.fetch(&model("model")).await.err().unwrap();
    assert!(matches!(&error, RegistryError::WrongKey { found, .. } if *found == needed), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains(&needed));
    let error = publish(&registry, "1.0.0", &victim.files).await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongKey { .. }), "comparing needs the key: {}", chain(&error));
}

/// Promotes after `alter` did its work on the alias object; the alias is a copy of the newest entry afterwards.
async fn is_put_right(alter: impl Fn(&[u8]) -> Vec<u8>) {
    let victim = Victim::new().await;
    publish(&victim.registry, "2.0.0", &files(2, &[10])).await.unwrap();
    let alias = victim.place.only_object("aliases");
    let newest = || std::fs::read(victim.place.objects("log").pop().unwrap()).unwrap();
    let altered = alter(&std::fs::read(&alias).unwrap());
    overwrite(&alias, &altered);
    victim.registry.promote(&model("model:2.0.0"), "live").await.unwrap();
    assert_eq!(std::fs::read(&alias).unwrap(), newest());
    overwrite(&alias, &altered);
    victim.registry.promote(&model("model:2.0.0"), "live").await.unwrap();
    assert_eq!(std::fs::read(&alias).unwrap(), newest(), "where nothing is appended, too");
    overwrite(&alias, &altered);
    publish(&victim.registry, "3.0.0", &files(3, &[10])).await.unwrap();
    assert_eq!(victim.fetch().await.unwrap().version, "2.0.0", "publishing puts it right, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_object_that_claims_a_later_place_than_the_log_has_does_not_freeze_the_alias() {
    let claims = |index: &str| {
        let claim = format!("\"index\":{index},\"prev\"");
        move |entry: &[u8]| {
            let text = String::from_utf8(entry.to_vec()).unwrap();
            assert!(text.contains("\"index\":1,\"prev\""), "{text}");
            text.replace("\"index\":1,\"prev\"", &claim).into_bytes()
        }
    };
    for index in ["999", "2", "3", "18446744073709551615"] {
        is_put_right(claims(index)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_oversized_alias_object_is_replaced_by_the_next_writer() {
    is_put_right(|entry| entry[..entry.len() / 2].to_vec()).await;
    is_put_right(|_| Vec::new()).await;
    is_put_right(|_| vec![b' '; 300 * 1024]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_again_what_has_lost_a_sealed_file_names_it() {
    let victim = Victim::new().await;
    let lost = victim.blobs().pop().unwrap();
    std::fs::remove_file(&lost).unwrap();
    let error = publish(&victim.registry, "1.0.0", &victim.files).await.unwrap_err();
    let name = lost.file_name().unwrap().to_str().unwrap();
    assert!(matches!(&error, RegistryError::Damaged { object, .. } if object.ends_with(name)), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_whose_alias_object_cannot_follow_is_told_with_its_place_in_the_log() {
    let victim = Victim::new().await;
    publish(&victim.registry, "2.0.0", &files(2, &[10])).await.unwrap();
    // The aliases' folder becomes a file: no alias object can be made.
    let folder = victim.place.root().join("aliases");
    std::fs::rename(&folder, victim.place.scratch.path().join("aside")).unwrap();
    std::fs::write(&folder, "").unwrap();
    let error = victim.registry.promote(&model("model:2.0.0"), "live").await.unwrap_err();
    assert!(matches!(&error, RegistryError::Lagging { index: 3, .. }), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains("run the same promote again"));
    std::fs::remove_file(&folder).unwrap();
    assert!(victim.registry.promote(&model("model:2.0.0"), "live").await.unwrap().already);
    assert_eq!(victim.fetch().await.unwrap().version, "2.0.0");
}
