//! A security module signs: SoftHSM by its PKCS#11 library, and what it signed is verified as anybody's signature is.

#[path = "support/program.rs"]
mod program;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use program::{Place, artifact};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234";

/// A token of SoftHSM with one key, of which the file is kept to compare with.
struct Module {
    place: Place,
}

impl Module {
    fn new() -> Self {
        let module = Self { place: Place::new() };
        std::fs::create_dir(module.place.path("tokens")).unwrap();
        let settings = format!("directories.tokendir = {}\n", module.place.path("tokens"));
        std::fs::write(module.place.path("softhsm2.conf"), settings).unwrap();
        module.pin(PIN);
        succeed(module.place.command().args(["key", "new", "--signing", "-o", &module.place.path("publisher.pem")]));
        let token = ["--init-token", "--free", "--label", "models", "--pin", PIN, "--so-pin", "56789"];
        succeed(module.softhsm().args(token));
        let import = ["--token", "models", "--label", "publisher", "--id", "A1", "--pin", PIN];
        succeed(module.softhsm().args(["--import", &module.place.path("publisher.pem")]).args(import));
        module
    }

    fn softhsm(&self) -> Command {
        let mut command = Command::new("softhsm2-util");
        command.env("SOFTHSM2_CONF", self.place.path("softhsm2.conf"));
        command
    }

    fn pin(&self, pin: &str) {
        let path = self.place.path("pin");
        std::fs::write(&path, format!("{pin}\n")).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn uri(&self, token: &str, object: &str) -> String {
        format!("pkcs11:token={token};object={object}?module-path={MODULE}&pin-source={}", self.place.path("pin"))
    }

    /// The program, which finds the module's configuration.
    fn command(&self) -> Command {
        let mut command = self.place.command();
        command.env("SOFTHSM2_CONF", self.place.path("softhsm2.conf"));
        command
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn what_a_security_module_signed_counts_as_what_the_same_key_signs_from_a_file() {
    let module = Module::new();
    let uri = module.uri("models", "publisher");
    let public = |key: &str| succeed(module.command().args(["key", "public", "--signing-key", key])).stdout;
    let of_module = public(&uri);
    assert_eq!(of_module, public(&format!("file:{}", module.place.path("publisher.pem"))));
    std::fs::write(module.place.path("publisher.pub"), of_module).unwrap();
    let named = format!("ci={}", module.place.path("publisher.pub"));
    let policy = succeed(module.command().args(["trust", "--publisher", &named])).stdout;
    let policy = String::from_utf8(policy).unwrap();
    let bundle = artifact("iris-random-forest");
    let mut publish = module.command();
    publish
        .arg("publish")
        .arg(bundle)
        .args(["--alias", "live", "--signing-key", &uri])
        .env("STRONGROOM_TRUST", &policy);
    succeed(&mut publish);
    let verified = succeed(module.command().args(["log", "verify"]).env("STRONGROOM_TRUST", &policy));
    assert!(!verified.stdout.is_empty());
}

#[test]
fn what_a_security_module_has_not_or_refuses_is_named() {
    let module = Module::new();
    let fails = |uri: &str, said: &str| {
        let output = module.command().args(["key", "public", "--signing-key", uri]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said) && text.contains("help: ") && !text.contains(PIN), "{said}: {text}");
    };
    fails(&module.uri("others", "publisher"), "token others");
    fails(&module.uri("models", "nobody"), "private EC key nobody");
    fails(&module.uri("models", "publisher").replace(MODULE, "/nowhere/module.so"), "load the module");
    fails("pkcs11:token=models;object=publisher?pin-source=/nowhere", "module-path is missing");
    module.pin("9999");
    fails(&module.uri("models", "publisher"), "log in");
    std::fs::set_permissions(module.place.path("pin"), PermissionsExt::from_mode(0o644)).unwrap();
    fails(&module.uri("models", "publisher"), "pin");
}
