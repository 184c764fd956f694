//! Both ways with AWS's own programs: the Python SDK 4 (material providers library) and `aws-encryption-cli`.
#[path = "support/esdk.rs"]
mod esdk;

use std::path::{Path, PathBuf};
use std::process::Command;

use esdk::{context, key_name, open, plaintext, repository, seal, tool};
use serde_json::{Value, json};
use strongroom::sealed::{EncryptionContext, FRAME_LEN, KeyName, SealingKey, seal_keyslot};

const FRAME: usize = FRAME_LEN as usize;
const SIZES: [usize; 6] = [0, 1, FRAME - 1, FRAME, FRAME + 1, 9 * FRAME + 17];

struct Workshop {
    directory: tempfile::TempDir,
    key: SealingKey,
    name: KeyName,
    context: EncryptionContext,
}

impl Workshop {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = SealingKey::generate().unwrap();
        std::fs::write(directory.path().join("key"), key.expose()).unwrap();
        let name = key_name("strongroom/kek", &key.id());
        Self { directory, key, name, context: context(&[("artifact", "a1"), ("purpose", "model-file")]) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_plain(&self, len: usize) -> PathBuf {
        let path = self.path(&format!("{len}.plain"));
        std::fs::write(&path, plaintext(len)).unwrap();
        path
    }

    fn write_sealed(&self, len: usize) -> PathBuf {
        let path = self.path(&format!("{len}.sealed"));
        std::fs::write(&path, seal(&plaintext(len), &self.key, &self.name, &self.context, FRAME_LEN)).unwrap();
        path
    }

    fn assert_opens(&self, sealed: &Path, len: usize) {
        let plain = open(&std::fs::read(sealed).unwrap(), &self.name, &self.key, &self.context);
        assert!(plain.unwrap() == plaintext(len), "{}", sealed.display());
    }

    fn job(&self, op: &str, input: &Path, output: &Path) -> Value {
        json!({
            "op": op, "input": input, "output": output, "key": hex::encode(self.key.expose()),
            "namespace": self.name.namespace, "name": self.name.name, "context": self.context, "frame_len": FRAME_LEN,
        })
    }

    fn run_sdk(&self, jobs: &[Value]) {
        let list = self.path("jobs.json");
        std::fs::write(&list, serde_json::to_vec(jobs).unwrap()).unwrap();
        let mut python = Command::new(tool("py/bin/python"));
        run(python.arg(repository("tests/python/esdk_sdk.py")).arg(list));
    }

    /// `aws-encryption-cli` with our plugin, registered as `pip install scripts/aws-encryption-cli-rawkey` registers it.
    fn run_cli(&self, arguments: &[&str], input: &Path, output: &Path) {
        let plugin = repository("scripts/aws-encryption-cli-rawkey");
        let registered = register(&plugin, self.directory.path());
        let KeyName { namespace, name } = &self.name;
        let key_file = self.path("key");
        let wrapping_keys =
            [format!("key={name}"), format!("namespace={namespace}"), format!("file={}", key_file.display())];
        let mut cli = Command::new(tool("cli/bin/aws-encryption-cli"));
        cli.env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", std::env::join_paths([&plugin, &registered]).unwrap());
        cli.args(arguments).arg("-i").arg(input).arg("-o").arg(output).arg("--suppress-metadata");
        run(cli.args(["--wrapping-keys", "provider=rawkey"]).args(wrapping_keys));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run `make test`"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The entry points of the plugin's `pyproject.toml` as an installed distribution has them.
fn register(plugin: &Path, directory: &Path) -> PathBuf {
    let project: toml::Value =
        toml::from_str(&std::fs::read_to_string(plugin.join("pyproject.toml")).unwrap()).unwrap();
    let mut entry_points = String::new();
    for (group, entries) in project["project"]["entry-points"].as_table().unwrap() {
        entry_points += &format!("[{group}]\n");
        for (name, target) in entries.as_table().unwrap() {
            entry_points += &format!("{name} = {}\n", target.as_str().unwrap());
        }
    }
    let site = directory.join("site");
    let registered = site.join("strongroom_rawkey-1.0.0.dist-info");
    std::fs::create_dir_all(&registered).unwrap();
    std::fs::write(registered.join("METADATA"), "Metadata-Version: 2.1\nName: strongroom-rawkey\nVersion: 1.0.0\n")
        .unwrap();
    std::fs::write(registered.join("entry_points.txt"), entry_points).unwrap();
    site
}

const CLI_SEAL: [&str; 9] = [
    "--encrypt",
    "--algorithm",
    "AES_256_GCM_HKDF_SHA512_COMMIT_KEY",
    "--frame-length",
    "1048576",
    "--encryption-context",
    "artifact=a1",
    "purpose=model-file",
    "--commitment-policy=require-encrypt-require-decrypt",
];

#[test]
fn the_python_sdk_opens_what_we_seal() {
    let workshop = Workshop::new();
    let opened = |len: usize| workshop.path(&format!("{len}.opened"));
    let jobs = SIZES.map(|len| workshop.job("open", &workshop.write_sealed(len), &opened(len)));
    workshop.run_sdk(&jobs);
    for len in SIZES {
        assert!(std::fs::read(opened(len)).unwrap() == plaintext(len), "{len}");
    }
}

#[test]
fn we_open_what_the_python_sdk_seals() {
    let workshop = Workshop::new();
    let sealed = |len: usize| workshop.path(&format!("{len}.sdk"));
    let jobs = SIZES.map(|len| workshop.job("seal", &workshop.write_plain(len), &sealed(len)));
    workshop.run_sdk(&jobs);
    for len in SIZES {
        workshop.assert_opens(&sealed(len), len);
    }
}

#[test]
fn aws_encryption_cli_opens_what_we_seal() {
    let workshop = Workshop::new();
    for len in SIZES {
        let opened = workshop.path(&format!("{len}.opened"));
        let arguments = ["--decrypt", "--encryption-context", "artifact=a1", "--buffer"];
        workshop.run_cli(&arguments, &workshop.write_sealed(len), &opened);
        assert!(std::fs::read(opened).unwrap() == plaintext(len), "{len}");
    }
}

#[test]
fn we_open_what_aws_encryption_cli_seals() {
    let workshop = Workshop::new();
    for len in SIZES {
        let sealed = workshop.path(&format!("{len}.cli"));
        workshop.run_cli(&CLI_SEAL, &workshop.write_plain(len), &sealed);
        workshop.assert_opens(&sealed, len);
    }
}

#[test]
fn aws_encryption_cli_opens_a_keyslot_and_then_what_its_key_sealed() {
    let mut workshop = Workshop::new();
    let artifact_key = SealingKey::generate().unwrap();
    let slot = workshop.path("slot");
    std::fs::write(&slot, seal_keyslot(&workshop.name, &workshop.key, "a1", &artifact_key).unwrap()).unwrap();
    let opened = workshop.path("opened-key");
    workshop.run_cli(&["--decrypt"], &slot, &opened);
    assert_eq!(std::fs::read(&opened).unwrap(), artifact_key.expose());
    std::fs::rename(opened, workshop.path("key")).unwrap();
    workshop.key = artifact_key;
    workshop.name = key_name("strongroom/artifact", "a1");
    let sealed = workshop.write_sealed(9);
    workshop.run_cli(&["--decrypt"], &sealed, &workshop.path("9.opened"));
    assert_eq!(std::fs::read(workshop.path("9.opened")).unwrap(), plaintext(9));
}
