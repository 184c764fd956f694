//! `LabelEncoder` and `OneHotEncoder`: each value becomes another, or a row with a one at its place.

mod keys;
mod lookup;

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::{NodeProto, TensorProto};
use tract_onnx::tract_hir::internal::*;

use super::{Parsed, floats, integers};
use keys::Keys;
pub(super) use lookup::Lookup;
use lookup::Makes;

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("LabelEncoder", label_encoder);
    operators.insert("OneHotEncoder", one_hot_encoder);
}

fn one_hot_encoder(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let texts = node.get_attr_opt_vec::<String>("cats_strings")?.unwrap_or_default();
    let keys = match (integers(node, "cats_int64s")?, texts.as_slice()) {
        ([], []) => bail!("attributes cats_int64s and cats_strings are both empty, expected one"),
        (integers, []) => tensor1(integers),
        ([], texts) => tensor1(texts),
        _ => bail!("attributes cats_int64s and cats_strings are both given, expected one"),
    };
    let strict = node.get_attr_opt::<i64>("zeros")?.unwrap_or(1) == 0;
    Lookup::parsed("OneHotEncoder", Keys::of(&keys, false)?, Makes::Places { count: keys.len(), strict })
}

fn label_encoder(context: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    if node.attribute.iter().any(|attribute| attribute.name == "classes_strings") {
        bail!("attribute classes_strings is of ai.onnx.ml 1; export with 2 or later");
    }
    let (keys, values) = (tensor(context, node, "keys")?, tensor(context, node, "values")?);
    if keys.len() != values.len() {
        bail!("attributes keys_* and values_* hold {} and {} entries, expected as many", keys.len(), values.len());
    }
    let otherwise = otherwise(context, node, values.datum_type())?;
    let values = Tensor::stack_tensors(0, &[values, otherwise])?.into_arc_tensor();
    // Before version 4 what is no number is nobody's key.
    let set = context.model.opset_import.iter().find(|set| set.domain == node.domain);
    let keys = Keys::of(&keys, set.is_some_and(|set| set.version >= 4))?;
    Lookup::parsed("LabelEncoder", keys, Makes::Values(values))
}

/// The one attribute of those that begin with `name` which is there, as a row.
fn tensor(context: &ParsingContext<'_>, node: &NodeProto, name: &str) -> TractResult<Tensor> {
    let mut found = Vec::new();
    found.extend(Some(floats(node, &format!("{name}_floats"))?).filter(|held| !held.is_empty()).map(tensor1));
    found.extend(Some(integers(node, &format!("{name}_int64s"))?).filter(|held| !held.is_empty()).map(tensor1));
    let texts = node.get_attr_opt_vec::<String>(&format!("{name}_strings"))?;
    found.extend(texts.filter(|held| !held.is_empty()).map(|held| tensor1(&held)));
    if let Some(held) = node.get_attr_opt::<&TensorProto>(&format!("{name}_tensor"))? {
        let held = context.load_tensor(held)?;
        let len = held.len();
        found.push(held.into_shape(&[len])?);
    }
    match <[Tensor; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) => bail!("{} of the attributes {name}_* are given, expected one", found.len()),
    }
}

/// What values become that are no key: a row of one.
fn otherwise(context: &ParsingContext<'_>, node: &NodeProto, datum: DatumType) -> TractResult<Tensor> {
    if let Some(held) = node.get_attr_opt::<&TensorProto>("default_tensor")? {
        let held = context.load_tensor(held)?;
        ensure!(held.len() == 1, "attribute default_tensor holds {} entries, expected one", held.len());
        ensure!(
            held.datum_type() == datum,
            "attribute default_tensor is of {:?}, expected {datum:?}",
            held.datum_type()
        );
        return held.into_shape(&[1]);
    }
    Ok(match datum {
        DatumType::F32 => tensor1(&[node.get_attr_opt::<f32>("default_float")?.unwrap_or(-0.0)]),
        DatumType::I64 => tensor1(&[node.get_attr_opt::<i64>("default_int64")?.unwrap_or(-1)]),
        DatumType::String => {
            tensor1(&[node.get_attr_opt::<String>("default_string")?.unwrap_or_else(|| "_Unused".to_owned())])
        }
        other => bail!("attribute values_tensor is of {other:?}, expected F32, I64 or String"),
    })
}
