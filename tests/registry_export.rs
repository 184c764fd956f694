//! Export and mount: a version goes out sealed, without a key, and comes back byte for byte, or is refused.

#[path = "support/registry.rs"]
mod support;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom::bundle::Files;
use strongroom::keys::Keys;
use strongroom::registry::{
    Authority, Export, ExportedObject, Fetched, MAX_FILES, RegistryError, Stage, fetch_mount, is_sealed_mount,
    mount_len,
};
use strongroom::store::{Store, StoreError};
use support::{Place, chain, files, flip, key_file, model, overwrite, publish, publish_live};
use tempfile::TempDir;

const LENS: [usize; 5] = [0, 1, 1_000, 1 << 20, (17 << 20) + 3];
const PART: usize = 8 << 20;

/// Writes an export as `strongroom export` does, but for the care.
async fn export(store: &Store, name: &str, root: &Path) -> Result<(), RegistryError> {
    let export = Export::find(store, &Authority::default(), &model(name)).await?;
    for object in &export.objects {
        write(root, &export, object).await?;
    }
    Ok(())
}

async fn write(root: &Path, export: &Export, object: &ExportedObject) -> Result<(), RegistryError> {
    let (mut copying, mut bytes) = (export.copy(object), Vec::new());
    while let Some(part) = copying.next().await? {
        assert!(!part.is_empty() && part.len() <= PART, "{} bytes at once", part.len());
        bytes.extend_from_slice(&part);
    }
    assert_eq!(bytes.len() as u64, object.len);
    let place = root.join(&object.key);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
    Ok(())
}

/// A version in a registry, exported.
struct Mount {
    place: Place,
    keys: Keys,
    files: Files,
}

impl Mount {
    async fn new() -> Self {
        Self::with(files(1, &[10, 5_000])).await
    }

    async fn with(files: Files) -> Self {
        let place = Place::directory();
        let registry = place.open().await;
        publish_live(&registry, "1.0.0", &files).await;
        let mount = Self { place, keys: registry.keys.clone(), files };
        export(&registry.store, "model", &mount.root()).await.unwrap();
        mount
    }

    fn root(&self) -> PathBuf {
        self.place.scratch.path().join("mount")
    }

    async fn fetch(&self) -> Result<Fetched, RegistryError> {
        fetch_mount(&self.root(), Some(&self.keys), &Authority::default(), false).await
    }

    async fn refused(&self) -> RegistryError {
        self.fetch().await.err().unwrap()
    }

    /// The names in one of its folders.
    fn names(&self, folder: &str) -> Vec<String> {
        let names = fs::read_dir(self.root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn blobs(&self) -> Vec<PathBuf> {
        self.names("blobs/sha256").iter().map(|name| self.root().join("blobs/sha256").join(name)).collect()
    }

    fn keyslot(&self) -> PathBuf {
        let artifact = self.root().join("keyslots").join(&self.names("keyslots")[0]);
        fs::read_dir(artifact).unwrap().next().unwrap().unwrap().path()
    }

    fn entry(&self) -> PathBuf {
        self.root().join("entry.json")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_is_mounted_byte_for_byte() {
    let place = Place::directory();
    let registry = place.open().await;
    let files = files(1, &LENS);
    publish_live(&registry, "1.0.0", &files).await;
    let digest = registry.fetch(&model("model")).await.unwrap().digest;
    for (at, name) in ["model", "model:live", "model:1.0.0", &format!("model@sha256:{digest}")].iter().enumerate() {
        let root = place.scratch.path().join(format!("mount-{at}"));
        export(&registry.store, name, &root).await.unwrap();
        let fetched = fetch_mount(&root, Some(&registry.keys), &Authority::default(), false).await.unwrap();
        assert!(fetched.files == files, "{name}");
        assert_eq!((fetched.name.as_str(), fetched.version.as_str()), ("model", "1.0.0"));
        assert_eq!((fetched.digest.as_str(), fetched.sealed, fetched.signed), (digest.as_str(), true, false));
        let sealed: u64 = place.objects("blobs").iter().map(|blob| fs::metadata(blob).unwrap().len()).sum();
        assert_eq!(mount_len(&root).unwrap(), sealed);
        assert!(is_sealed_mount(&root));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_one_versions_objects_as_they_are_and_nothing_else() {
    let place = Place::directory();
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10, 20])).await.unwrap();
    let of_one: Vec<_> = [place.objects("blobs"), place.objects("keyslots")].concat();
    publish_live(&registry, "2.0.0", &files(2, &[30])).await;
    let root = place.scratch.path().join("mount");
    export(&registry.store, "model:1.0.0", &root).await.unwrap();
    for object in &of_one {
        let exported = root.join(object.strip_prefix(place.root()).unwrap());
        assert_eq!(fs::read(exported).unwrap(), fs::read(object).unwrap());
    }
    assert_eq!(fs::read(root.join("entry.json")).unwrap(), fs::read(&place.objects("log")[0]).unwrap());
    let exported = Export::find(&registry.store, &Authority::default(), &model("model:1.0.0")).await.unwrap();
    assert_eq!(exported.objects.len(), of_one.len() + 1);
    assert!(exported.objects.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(exported.total_len(), exported.objects.iter().map(|object| object.len).sum::<u64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_keyslot_of_the_version_goes_along() {
    let mount = Mount::new().await;
    let first = mount.place.only_object("keyslots");
    for kek in 0..20 {
        fs::copy(&first, first.with_file_name(format!("another-{kek}"))).unwrap();
    }
    let root = mount.place.scratch.path().join("again");
    export(&mount.place.open().await.store, "model", &root).await.unwrap();
    assert_eq!(fs::read_dir(root.join(format!("keyslots/{}", mount.names("keyslots")[0]))).unwrap().count(), 21);
    assert!(fetch_mount(&root, Some(&mount.keys), &Authority::default(), false).await.unwrap().files == mount.files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_sealed_file_is_named_while_it_is_copied() {
    let mount = Mount::new().await;
    let store = mount.place.open().await.store;
    for blob in mount.place.objects("blobs") {
        let (name, whole) = (blob.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&blob).unwrap());
        for damaged in [[&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1]].concat(), Vec::new()] {
            overwrite(&blob, &damaged);
            let error = export(&store, "model", &mount.place.scratch.path().join("again")).await.unwrap_err();
            assert!(
                matches!(&error, RegistryError::Damaged { stage: Stage::Blob | Stage::FileIndex, object, .. } if object.ends_with(&name)),
                "{}",
                chain(&error)
            );
            assert!(error.remedy().is_some());
        }
        overwrite(&blob, &whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_is_named_before_anything_is_copied() {
    let mount = Mount::new().await;
    let store = mount.place.open().await.store;
    let blob = mount.place.objects("blobs").pop().unwrap();
    let aside = mount.place.scratch.path().join("aside");
    fs::rename(&blob, &aside).unwrap();
    let error = Export::find(&store, &Authority::default(), &model("model")).await.err().unwrap();
    let missing = matches!(&error, RegistryError::Store { source: StoreError::NotFound { .. }, .. });
    assert!(missing && chain(&error).contains(blob.file_name().unwrap().to_str().unwrap()), "{}", chain(&error));
    fs::rename(&aside, &blob).unwrap();
    fs::remove_file(mount.place.only_object("keyslots")).unwrap();
    let error = Export::find(&store, &Authority::default(), &model("model")).await.err().unwrap();
    assert!(matches!(&error, RegistryError::Damaged { stage: Stage::Keyslot, .. }), "{}", chain(&error));
    for name in ["model:2.0.0", "other", "model:canary"] {
        let error = Export::find(&store, &Authority::default(), &model(name)).await.err().unwrap();
        assert!(matches!(error, RegistryError::NoVersion { .. } | RegistryError::NoAlias { .. }), "{}", chain(&error));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changes_after_it_was_looked_at_is_refused() {
    let mount = Mount::new().await;
    let export = Export::find(&mount.place.open().await.store, &Authority::default(), &model("model")).await.unwrap();
    let blob = mount.place.objects("blobs").pop().unwrap();
    flip(&blob, 0);
    let object = export.objects.iter().find(|object| blob.ends_with(&object.key)).unwrap();
    let error = export.copy(object).next().await.unwrap_err();
    assert!(matches!(&error, RegistryError::Store { source: StoreError::Changed { .. }, .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyslot_too_large_to_be_one_is_not_exported() {
    let mount = Mount::new().await;
    overwrite(&mount.place.only_object("keyslots"), &vec![0; 1 << 20]);
    let error =
        Export::find(&mount.place.open().await.store, &Authority::default(), &model("model")).await.err().unwrap();
    let too_large = matches!(&error, RegistryError::Store { source: StoreError::TooLarge { .. }, .. });
    assert!(too_large && chain(&error).contains("keyslots/"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_without_a_model_is_told_with_what_was_expected() {
    let folder = TempDir::new().unwrap();
    let (missing, file) = (folder.path().join("missing"), folder.path().join("file"));
    fs::write(&file, "").unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir_all(empty.join("export")).unwrap();
    for path in [missing, file, empty] {
        for error in
            [fetch_mount(&path, None, &Authority::default(), true).await.err().unwrap(), mount_len(&path).unwrap_err()]
        {
            assert!(
                matches!(&error, RegistryError::NoModel { path: named, .. } if *named == path),
                "{}",
                chain(&error)
            );
            let remedy = error.remedy().unwrap();
            assert!(["entry.json", "keyslots/", "blobs/"].iter().all(|part| remedy.contains(part)), "{remedy}");
        }
        assert!(!is_sealed_mount(&path));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_mount_needs_its_key() {
    let mount = Mount::new().await;
    let error = fetch_mount(&mount.root(), None, &Authority::default(), false).await.err().unwrap();
    assert!(matches!(&error, RegistryError::NoKey { path } if *path == mount.root()), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains("STRONGROOM_KEY"));
    let path = key_file(mount.place.scratch.path(), "other", 8);
    let other = Keys::open(&strongroom::keys::KeySource::File(path), &mount.place.aws).await.unwrap();
    let error = fetch_mount(&mount.root(), Some(&other), &Authority::default(), false).await.err().unwrap();
    assert!(matches!(error, RegistryError::WrongKey { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_beside_a_register_entry_does_not_make_a_mount_a_plain_one() {
    let mount = Mount::new().await;
    fs::write(mount.root().join("model.toml"), "name = \"other\"").unwrap();
    assert!(mount.fetch().await.unwrap().sealed);
    let error = fetch_mount(&mount.root(), None, &Authority::default(), true).await.err().unwrap();
    assert!(matches!(error, RegistryError::NoKey { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_of_a_mount_is_named() {
    let mount = Mount::new().await;
    let aside = mount.place.scratch.path().join("aside");
    for path in mount.blobs() {
        fs::rename(&path, &aside).unwrap();
        let error = mount.refused().await;
        let missing = matches!(&error, RegistryError::Store { source: StoreError::NotFound { .. }, .. });
        assert!(missing && chain(&error).contains(path.to_str().unwrap()), "{}", chain(&error));
        fs::rename(&aside, &path).unwrap();
    }
    for folder in ["blobs", "keyslots"] {
        fs::rename(mount.root().join(folder), &aside).unwrap();
        assert!(chain(&mount.refused().await).contains(&format!("{folder}/")), "{folder}");
        fs::rename(&aside, mount.root().join(folder)).unwrap();
    }
    assert!(mount.fetch().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_in_a_mount_is_named() {
    let mount = Mount::new().await;
    for path in mount.blobs().into_iter().chain([mount.keyslot()]) {
        flip(&path, 200);
        let error = mount.refused().await;
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(matches!(&error, RegistryError::Open { object, .. } if object.ends_with(name)), "{}", chain(&error));
        flip(&path, 200);
    }
    assert!(mount.fetch().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_none_of_a_version_is_refused() {
    let mount = Mount::new().await;
    let whole = fs::read(mount.entry()).unwrap();
    let promote = fs::read(mount.place.only_object("aliases")).unwrap();
    let more = String::from_utf8(whole.clone()).unwrap().replacen('{', "{\"more\":1,", 1).into_bytes();
    for entry in [promote, more, whole[..100].to_vec(), Vec::new(), vec![b' '; 300 * 1024]] {
        overwrite(&mount.entry(), &entry);
        for error in [mount.refused().await, mount_len(&mount.root()).unwrap_err()] {
            assert!(
                matches!(&error, RegistryError::Damaged { stage: Stage::Log, object, .. } if object.ends_with("/entry.json")),
                "{}",
                chain(&error)
            );
        }
    }
    let other = String::from_utf8(whole.clone()).unwrap().replace("\"1.0.0\"", "\"1.0.1\"");
    overwrite(&mount.entry(), other.as_bytes());
    let error = mount.refused().await;
    assert!(matches!(error, RegistryError::Damaged { stage: Stage::FileIndex, .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_out_of_a_sealed_mount() {
    let mount = Mount::new().await;
    let outside = mount.place.scratch.path().join("outside");
    let artifact = format!("keyslots/{}", mount.names("keyslots")[0]);
    for linked in ["entry.json", "blobs", "blobs/sha256", "keyslots", &artifact] {
        let path = mount.root().join(linked);
        fs::rename(&path, &outside).unwrap();
        symlink(&outside, &path).unwrap();
        for error in [mount.refused().await, mount_len(&mount.root()).unwrap_err()] {
            assert!(matches!(error, RegistryError::NoModel { .. }), "{linked}: {}", chain(&error));
            let named = if linked == "entry.json" { mount.root() } else { path.clone() };
            assert!(chain(&error).contains(named.to_str().unwrap()), "{linked}: {}", chain(&error));
        }
        fs::remove_file(&path).unwrap();
        fs::rename(&outside, &path).unwrap();
    }
    for linked in mount.blobs().into_iter().chain([mount.keyslot()]) {
        fs::rename(&linked, &outside).unwrap();
        symlink(&outside, &linked).unwrap();
        assert!(mount.fetch().await.is_err(), "{}", linked.display());
        fs::remove_file(&linked).unwrap();
        fs::rename(&outside, &linked).unwrap();
    }
    assert!(mount.fetch().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mount_itself_may_be_a_link() {
    let mount = Mount::new().await;
    let link = mount.place.scratch.path().join("link");
    symlink(mount.root(), &link).unwrap();
    assert!(fetch_mount(&link, Some(&mount.keys), &Authority::default(), false).await.unwrap().files == mount.files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_with_more_files_than_a_version_has_is_not_measured() {
    let mount = Mount::new().await;
    for place in 0..MAX_FILES + 1 {
        File::create(mount.root().join(format!("blobs/sha256/{place}"))).unwrap();
    }
    assert!(matches!(mount_len(&mount.root()), Err(RegistryError::NoModel { .. })));
}

/// A plain bundle, as a user mounts one.
fn plain() -> TempDir {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")), TempDir::new().unwrap());
    let from = from.join("model-artifacts/iris-random-forest");
    let copied = Command::new("cp").arg("-r").arg(from.join(".")).arg(to.path()).status().unwrap();
    assert!(copied.success());
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_bundle_is_refused_unless_it_is_allowed() {
    let mount = Mount::new().await;
    let plain = plain();
    for keys in [None, Some(&mount.keys)] {
        let error = fetch_mount(plain.path(), keys, &Authority::default(), false).await.err().unwrap();
        assert!(matches!(&error, RegistryError::Unsealed { path } if path == plain.path()), "{}", chain(&error));
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("strongroom export") && remedy.contains("STRONGROOM_ALLOW_UNSEALED=true"), "{remedy}");
        let fetched = fetch_mount(plain.path(), keys, &Authority::default(), true).await.unwrap();
        assert_eq!((fetched.name.as_str(), fetched.sealed, fetched.signed), ("iris-random-forest", false, false));
        assert_eq!(fetched.files, strongroom::registry::read_directory(plain.path()).unwrap());
        let len: usize = fetched.files.values().map(bytes::Bytes::len).sum();
        assert_eq!(mount_len(plain.path()).unwrap(), len as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_of_a_plain_bundle_is_what_sha256sum_says() {
    let plain = plain();
    fs::create_dir(plain.path().join("sub")).unwrap();
    fs::write(plain.path().join("sub/a file"), "x").unwrap();
    fs::write(plain.path().join("sub-way"), "y").unwrap();
    fs::write(plain.path().join(".hidden"), "z").unwrap();
    symlink("sub/a file", plain.path().join("link")).unwrap();
    // As docs/REGISTRY.md has it.
    let command = "find -L * -type f ! -path '*/.*' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum";
    let said = Command::new("sh").args(["-c", command]).current_dir(plain.path()).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let fetched = fetch_mount(plain.path(), None, &Authority::default(), true).await.unwrap();
    assert_eq!(format!("{}  -\n", fetched.digest), said);
    assert!(fs::read_to_string("docs/REGISTRY.md").unwrap().contains(command), "the document says another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_directory_that_is_no_bundle_is_told_as_one() {
    let plain = plain();
    fs::write(plain.path().join("model.toml"), "name = 1").unwrap();
    let error = fetch_mount(plain.path(), None, &Authority::default(), true).await.err().unwrap();
    assert!(matches!(&error, RegistryError::Bundle { path, .. } if path == plain.path()), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains("docs/MODELS.md"));
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    symlink(outside.path().join("secret"), plain.path().join("weights.bin")).unwrap();
    for error in [
        fetch_mount(plain.path(), None, &Authority::default(), true).await.err().unwrap(),
        mount_len(plain.path()).unwrap_err(),
    ] {
        assert!(matches!(error, RegistryError::Unfit { .. }), "{}", chain(&error));
    }
}
