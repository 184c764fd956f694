//! Bodies that must be refused, each with the stable code of its refusal. Plain facts: the library's tests and the
//! server's read the same table.

#![allow(dead_code, reason = "every test binary uses its own part")]

/// What the model that gets the body reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// `classify`, `detect`, `embed`, `faces`.
    Images,
    /// `tabular`.
    Rows,
    /// `tensor`.
    Tensors,
}

/// One body, with the limits of a manifest that sets none.
pub struct Hostile {
    pub name: String,
    pub against: Against,
    pub media_type: &'static str,
    pub body: Vec<u8>,
    pub code: &'static str,
}

/// The whole table.
pub fn bodies() -> Vec<Hostile> {
    let mut table = Vec::new();
    truncated(&mut table);
    headers(&mut table);
    strangers(&mut table);
    json_images(&mut table);
    multipart(&mut table);
    csv(&mut table);
    json_rows(&mut table);
    npy(&mut table);
    open_inference(&mut table);
    table
}

/// Bodies that are answered; what mutations start from.
pub fn valid() -> Vec<(Against, &'static str, Vec<u8>)> {
    let images = FILES.iter().map(|(_, file, _)| (Against::Images, "application/octet-stream", file.to_vec()));
    let jpeg = base64(JPEG);
    let mut part = b"--edge\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.jpg\"\r\n\r\n".to_vec();
    part.extend([JPEG, b"\r\n--edge--\r\n"].concat());
    images
        .chain([
            (Against::Images, "application/json", format!(r#"{{"instances":[{{"b64":"{jpeg}"}}]}}"#).into()),
            (
                Against::Images,
                "application/json",
                format!(r#"{{"task":"compare","images":["{jpeg}","{jpeg}"]}}"#).into(),
            ),
            (Against::Images, "multipart/form-data; boundary=edge", part),
            (Against::Rows, "text/csv", b"a,b,c,d\n5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2\n".to_vec()),
            (Against::Rows, "application/json", br#"{"instances":[[1,2.5,-3e2,0],{"features":[1,2,3,4]}]}"#.to_vec()),
            (Against::Rows, "application/jsonlines", b"[1,2]\n{\"a\":1,\"b\":2}\n".to_vec()),
            (Against::Rows, "application/x-npy", array("<f4", "False", "(2, 2)", &[0; 16])),
            (Against::Tensors, "application/x-npy", array("<i8", "False", "(2,)", &[1; 16])),
            (Against::Tensors, "application/json", tensor("x", "[2, 2]", "FP32", "[[1, 2.5], [3, 4]]")),
        ])
        .collect()
}

const JPEG: &[u8] = include_bytes!("../images/rgb.jpg");
const PNG: &[u8] = include_bytes!("../images/rgb.png");
const GIF: &[u8] = include_bytes!("../images/animated.gif");
const BMP: &[u8] = include_bytes!("../images/rgb.bmp");
const TIFF: &[u8] = include_bytes!("../images/rgb.tiff");
const WEBP: &[u8] = include_bytes!("../images/lossy.webp");
/// Its size stands in 28 bits after the signature 0x2F at byte 20.
const LOSSLESS_WEBP: &[u8] = include_bytes!("../images/lossless.webp");

/// Name, content, and at which percent to cut so that the first picture is not whole.
const FILES: [(&str, &[u8], &[usize]); 10] = [
    ("jpeg", JPEG, &[5, 50, 99]),
    ("progressive jpeg", include_bytes!("../images/progressive.jpg"), &[10, 50, 90]),
    ("png", PNG, &[5, 50, 90]),
    ("palette png", include_bytes!("../images/interlaced_palette.png"), &[20, 70]),
    ("lossy webp", WEBP, &[10, 50, 90]),
    ("lossless webp", LOSSLESS_WEBP, &[10, 50, 90]),
    ("gif", GIF, &[2, 15, 30]),
    ("bmp", BMP, &[1, 50, 95]),
    ("tiff", TIFF, &[1, 50, 95]),
    ("deflate tiff", include_bytes!("../images/deflate.tiff"), &[1, 50, 90]),
];

fn add(
    table: &mut Vec<Hostile>,
    against: Against,
    media_type: &'static str,
    code: &'static str,
    name: &str,
    body: impl Into<Vec<u8>>,
) {
    table.push(Hostile { name: name.into(), against, media_type, body: body.into(), code });
}

fn truncated(table: &mut Vec<Hostile>) {
    for (name, file, cuts) in FILES {
        for percent in cuts {
            let body = &file[..file.len() * percent / 100];
            let name = format!("{name} cut at {percent} per cent");
            add(table, Against::Images, "image/*", "damaged_image", &name, body);
        }
    }
    for bytes in [1, 2] {
        add(table, Against::Images, "image/jpeg", "unknown_image", &format!("{bytes} bytes of a jpeg"), &JPEG[..bytes]);
    }
}

fn headers(table: &mut Vec<Hostile>) {
    let mut image = |code, name: &str, body: Vec<u8>| add(table, Against::Images, "image/*", code, name, body);
    image("image_too_large", "png of 65,535 x 65,535", png_sized(65_535, 65_535));
    image("image_too_large", "png of 2^31-1 x 2^31-1", png_sized(0x7FFF_FFFF, 0x7FFF_FFFF));
    image("image_too_large", "png of 40,000,001 x 1", png_sized(40_000_001, 1));
    image("image_too_large", "png of 70,000 x 1", png_sized(70_000, 1));
    image("damaged_image", "png of 65,535 x 1 without the pixels", png_sized(65_535, 1));
    image("damaged_image", "png of 0 x 30", png_sized(0, 30));
    image("damaged_image", "png of 40 x 0", png_sized(40, 0));
    image("damaged_image", "png that claims twice its height", png_sized(40, 60));
    image("damaged_image", "png with a wrong checksum", patched(PNG, 16, &[0, 0, 0, 41]));
    image("image_too_large", "jpeg of 65,535 x 65,535", jpeg_sized(65_535, 65_535));
    image("damaged_image", "jpeg of 0 x 30", jpeg_sized(0, 30));
    image("damaged_image", "jpeg of 40 x 0", jpeg_sized(40, 0));
    image("image_too_large", "gif of 65,535 x 65,535", patched(GIF, 6, &[0xFF; 4]));
    image("damaged_image", "gif of 0 x 0", patched(GIF, 6, &[0; 4]));
    image("image_too_large", "bmp of 65,535 x 65,535", patched(BMP, 18, &[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]));
    image("damaged_image", "bmp of 0 x 0", patched(BMP, 18, &[0; 8]));
    image("damaged_image", "bmp of a negative width", patched(BMP, 18, &[0xFF, 0xFF, 0xFF, 0xFF]));
    image("damaged_image", "bmp that claims ten times its height", patched(BMP, 22, &[0x2C, 1, 0, 0]));
    image("image_too_large", "tiff of 65,535 x 65,535", tiff_sized(65_535, 65_535));
    image("damaged_image", "tiff of 0 x 30", tiff_sized(0, 30));
    image("damaged_image", "tiff with its directory outside", patched(TIFF, 4, &[0xFF, 0xFF, 0xFF, 0x7F]));
    image("image_too_large", "webp of 16,383 x 16,383", patched(LOSSLESS_WEBP, 21, &[0xFE, 0xBF, 0xFF, 0x0F]));
    image("damaged_image", "webp canvas without a picture", webp_sized(40, 30));
}

fn strangers(table: &mut Vec<Hostile>) {
    let mut image =
        |media_type, code, name: &str, body: &[u8]| add(table, Against::Images, media_type, code, name, body);
    image("image/jpeg", "empty_body", "nothing", b"");
    image("image/png", "unknown_image", "zip as png", b"PK\x03\x04\x14\0\0\0\x08\0");
    image("image/jpeg", "unknown_image", "html as jpeg", b"<!DOCTYPE html><script>1</script>");
    image("image/svg+xml", "unknown_image", "svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    image("image/avif", "unknown_image", "avif", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1");
    image("image/x-icon", "unknown_image", "icon", &[0, 0, 1, 0, 1, 0, 16, 16]);
    image("application/octet-stream", "unknown_image", "random bytes", &[0x5A; 4096]);
    image("application/octet-stream", "unknown_image", "zeros", &[0; 4096]);
    image("image/png", "damaged_image", "png and zip in one", b"\x89PNG\r\n\x1a\nPK\x03\x04\x14\0\0\0\x08\0");
    image("image/gif", "image_too_large", "gif and script in one", b"GIF89a/*=1;alert(1)//*/");
    image("image/jpeg", "damaged_image", "jpeg of markers only", &[0xFF, 0xD8, 0xFF, 0xD9]);
    image("image/jpeg", "damaged_image", "jpeg of fill bytes", &[0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    image("text/csv", "unsupported_media_type", "csv to an image model", b"1,2,3");
    image("application/x-npy", "unsupported_media_type", "npy to an image model", b"\x93NUMPY");
    image("application/pdf", "unsupported_media_type", "pdf", b"%PDF-1.7");
    image("application/json; charset=utf-16", "unsupported_media_type", "utf-16", b"{}");
    image(";;;=", "unknown_image", "no content type worth the name", b"hello");
    image("\u{1F5BC}/jpeg", "unsupported_media_type", "an emoji as content type", b"hello");
}

fn json_images(table: &mut Vec<Hostile>) {
    let mut json = |code, name: &str, body: &[u8]| add(table, Against::Images, "application/json", code, name, body);
    json("malformed_json", "100,000 open brackets", &vec![b'['; 100_000]);
    json("malformed_json", "100,000 open objects", "{\"image\":".repeat(100_000).as_bytes());
    json("malformed_json", "json cut short", br#"{"instances":[{"b64":"#);
    json("malformed_json", "whitespace as json", b" \n ");
    json("malformed_json", "something after the document", br#"{"inputs":"AAAA"} {}"#);
    json("malformed_json", "invalid utf-8 in json", b"{\"inputs\":\"\xFF\xFE\"}");
    json("malformed_json", "half a surrogate pair", br#"{"inputs":"\ud800"}"#);
    json("malformed_json", "byte order mark", b"\xEF\xBB\xBF{}");
    json("malformed_json", "an empty object", b"{}");
    json("malformed_json", "a number for an image", br#"{"inputs":5}"#);
    json("malformed_json", "null for an image", br#"{"instances":[null]}"#);
    json("malformed_json", "an object for a list", br#"{"instances":{"b64":"AAAA"}}"#);
    json("malformed_json", "an address for an image", br#"{"instances":[{"url":"http://169.254.169.254/latest"}]}"#);
    json("malformed_json", "images under two keys", br#"{"inputs":"AAAA","instances":["AAAA"]}"#);
    json("malformed_json", "a list as task", br#"{"task":[],"images":["AAAA","AAAA"]}"#);
    json("invalid_input", "no images in the list", br#"{"instances":[]}"#);
    json("invalid_input", "compare one image", br#"{"task":"compare","images":["AAAA"]}"#);
    json("invalid_input", "compare three images", br#"{"task":"compare","images":["AAAA","AAAA","AAAA"]}"#);
    json("invalid_input", "an unknown task", br#"{"task":"delete","images":["AAAA","AAAA"]}"#);
    json("malformed_base64", "no base64", br#"{"inputs":"%%%%"}"#);
    json("malformed_base64", "base64 of an odd length", br#"{"inputs":"AAAAA"}"#);
    json("malformed_base64", "base64 of nothing", br#"{"inputs":""}"#);
    json("malformed_base64", "padding in the middle", br#"{"inputs":"AA==AAAA"}"#);
    json("malformed_base64", "a data url without base64", br#"{"inputs":"data:image/png,abc"}"#);
    json("unknown_image", "base64 of no image", br#"{"inputs":"AAAA"}"#);
    json("too_many_items", "10,001 images", format!("[{}\"AAAA\"]", "\"AAAA\",".repeat(10_000)).as_bytes());
    let mut lines =
        |code, name: &str, body: &[u8]| add(table, Against::Images, "application/jsonlines", code, name, body);
    lines("empty_body", "blank lines only", b"\n\n \n");
    lines("malformed_json", "a broken first line", b"{\n\"AAAA\"");
    lines("too_many_items", "10,001 lines", &b"\"AAAA\"\n".repeat(10_001));
}

fn multipart(table: &mut Vec<Hostile>) {
    const FORM: &str = "multipart/form-data; boundary=edge";
    let mut form = |kind, code, name: &str, body: &[u8]| add(table, Against::Images, kind, code, name, body);
    let part = |headers: &str, content: &str| format!("--edge\r\n{headers}\r\n\r\n{content}\r\n");
    let file = "Content-Disposition: form-data; name=\"f\"; filename=\"f\"";
    let field = "Content-Disposition: form-data; name=\"f\"";
    form("multipart/form-data", "malformed_multipart", "no boundary", b"--edge--");
    form("multipart/form-data; boundary=", "malformed_multipart", "an empty boundary", b"----");
    form(FORM, "malformed_multipart", "no part at all", b"hello");
    form(FORM, "malformed_multipart", "an unfinished part", part(file, "abc").as_bytes());
    form(FORM, "malformed_multipart", "unfinished headers", b"--edge\r\nContent-Disposition: form-data; na");
    form(FORM, "malformed_multipart", "headers of a megabyte", part(&"X-A: b\r\n".repeat(131_072), "").as_bytes());
    form(FORM, "malformed_multipart", "100,000 fields", (part(field, "1").repeat(100_000) + "--edge--").as_bytes());
    form(FORM, "too_many_items", "100,000 files", (part(file, "1").repeat(100_000) + "--edge--").as_bytes());
    form(FORM, "invalid_input", "no file", (part(field, "1") + "--edge--").as_bytes());
    form(FORM, "unknown_image", "a file that is no image", (part(file, "hello") + "--edge--").as_bytes());
}

fn csv(table: &mut Vec<Hostile>) {
    let mut csv = |code, name: &str, body: &[u8]| add(table, Against::Rows, "text/csv", code, name, body);
    csv("empty_body", "an empty csv", b"");
    csv("malformed_csv", "line ends only", b"\n\r\n\n");
    csv("malformed_csv", "a header only", b"a,b,c,d\n");
    csv("malformed_csv", "a row of another length than the header", b"a,b,c,d\n1,2,3\n");
    csv("malformed_csv", "invalid utf-8 in csv", b"1,2,\xFF,4\n");
    csv("malformed_csv", "one name twice", b"a,a,b,c\n1,2,3,4\n");
    csv("invalid_input", "text in a row", b"1,2,three,4\n");
    csv("invalid_input", "an empty cell", b"1,2,,4\n");
    csv("invalid_input", "nan in csv", b"1,2,NaN,4\n");
    csv("invalid_input", "infinity in csv", b"1,2,-inf,4\n");
    csv("invalid_input", "a number beyond f32 in csv", b"1,2,1e39,4\n");
    csv("invalid_input", "a number beyond f64 in csv", b"1,2,1e999,4\n");
    csv("invalid_input", "a zero byte in a number", b"1,2,3\0,4\n");
    csv("invalid_input", "70,000 columns", ("1,".repeat(69_999) + "1\n").as_bytes());
    csv("invalid_input", "a megabyte of commas", ",".repeat(1 << 20).as_bytes());
    csv("invalid_input", "commas between quoted line ends", "\"\n\",".repeat(70_000).as_bytes());
    csv("malformed_csv", "a name of 2,000 letters", format!("{},b\n1,2\n", "n".repeat(2_000)).as_bytes());
    csv("too_many_items", "10,001 rows", &b"1,2,3,4\n".repeat(10_001));
    add(table, Against::Rows, "image/png", "unsupported_media_type", "an image to a table", PNG);
    add(table, Against::Rows, "text/libsvm", "unsupported_media_type", "libsvm", "1 1:2");
    add(
        table,
        Against::Rows,
        "multipart/form-data; boundary=e",
        "unsupported_media_type",
        "a form to a table",
        "--e--",
    );
}

fn json_rows(table: &mut Vec<Hostile>) {
    let mut json = |code, name: &str, body: &[u8]| add(table, Against::Rows, "application/json", code, name, body);
    json("malformed_json", "100,000 open brackets for rows", &vec![b'['; 100_000]);
    json("malformed_json", "nan in json", br#"{"instances":[[1,2,NaN,4]]}"#);
    json("malformed_json", "a number beyond f64 in json", br#"{"instances":[[1,2,1e400,4]]}"#);
    json("malformed_json", "a number with 100,000 digits", format!("[[{}.{}]]", "9".repeat(100_000), "9").as_bytes());
    json("invalid_input", "a number beyond f32 in json", br#"{"instances":[[1,2,1e39,4]]}"#);
    json("invalid_input", "text in a json row", br#"{"instances":[[1,2,"3",4]]}"#);
    json("invalid_input", "null in a json row", br#"{"instances":[[1,2,null,4]]}"#);
    json("invalid_input", "a truth value in a json row", br#"{"instances":[[1,2,true,4]]}"#);
    json("invalid_input", "no rows", br#"{"instances":[]}"#);
    json("malformed_json", "rows under one key twice", br#"{"instances":[[1]],"instances":[[2]]}"#);
    json("malformed_json", "rows under two keys", br#"{"instances":[[1]],"inputs":[[2]]}"#);
    json("malformed_json", "features twice", br#"{"instances":[{"features":[1],"features":[2]}]}"#);
    json("malformed_json", "one feature twice", br#"{"instances":[{"a":1,"a":2}]}"#);
    json("malformed_json", "rows and numbers mixed", br#"{"instances":[[1,2,3,4],5]}"#);
    json("malformed_json", "rows of rows", br#"{"instances":[[[1,2,3,4]]]}"#);
    json("malformed_json", "a list as a feature", br#"{"instances":[{"a":[1]}]}"#);
    json("malformed_json", "a number for rows", b"5");
    json("too_many_items", "10,001 json rows", format!("[{}[1]]", "[1],".repeat(10_000)).as_bytes());
    json("invalid_input", "70,000 values in a row", format!("[{}1]", "1,".repeat(69_999)).as_bytes());
    add(table, Against::Rows, "application/jsonlines", "malformed_json", "two rows on a line", "[1,2] [3,4]");
}

fn npy(table: &mut Vec<Hostile>) {
    let mut npy = |code, name: &str, body: Vec<u8>| add(table, Against::Rows, "application/x-npy", code, name, body);
    npy("malformed_npy", "no npy", b"hello".to_vec());
    npy("malformed_npy", "npy cut after its magic", b"\x93NUMPY\x01".to_vec());
    npy("malformed_npy", "npy of version 9", b"\x93NUMPY\x09\0\x10\0{}".to_vec());
    npy("malformed_npy", "npy header of 4 GB", b"\x93NUMPY\x02\0\xFF\xFF\xFF\xFF{}".to_vec());
    npy("malformed_npy", "npy header of brackets", [b"\x93NUMPY\x01\0\xFF\xFF".as_slice(), &[b'('; 65_535]].concat());
    npy("malformed_npy", "npy without a shape", b"\x93NUMPY\x01\0\x02\0{}".to_vec());
    npy("malformed_npy", "npy with too little content", array("<f4", "False", "(2, 4)", &[0; 31]));
    npy("malformed_npy", "npy with too much content", array("<f4", "False", "(2, 4)", &[0; 33]));
    npy("malformed_npy", "npy of 2^64 values", array("<f8", "False", "(4294967296, 4294967296)", &[]));
    npy("malformed_npy", "npy of a negative shape", array("<f4", "False", "(-1, 4)", &[0; 16]));
    npy("malformed_npy", "npy of 40 dimensions", array("<f4", "False", &format!("({})", "1,".repeat(40)), &[0; 4]));
    npy("invalid_input", "npy in fortran order", array("<f4", "True", "(2, 2)", &[0; 16]));
    npy("invalid_input", "npy of objects", array("|O", "False", "(1, 1)", b"\x80\x04."));
    npy("invalid_input", "npy of text", array("<U4", "False", "(1, 1)", &[0; 16]));
    npy("invalid_input", "npy of no rows", array("<f4", "False", "(0, 4)", &[]));
    npy("invalid_input", "npy of three dimensions", array("<f4", "False", "(1, 1, 4)", &[0; 16]));
    npy("invalid_input", "npy with nan", array("<f4", "False", "(1, 1)", &f32::NAN.to_le_bytes()));
    npy("invalid_input", "npy beyond f32", array("<f8", "False", "(1, 1)", &1e300f64.to_le_bytes()));
    npy("too_many_items", "npy of 10,001 rows", array("|u1", "False", "(10001, 1)", &[0; 10_001]));
}

fn open_inference(table: &mut Vec<Hostile>) {
    let mut json = |code, name: &str, body: Vec<u8>| add(table, Against::Tensors, "application/json", code, name, body);
    json("malformed_json", "a list for a request", b"[1]".to_vec());
    json("malformed_json", "no inputs", br#"{"id":"1"}"#.to_vec());
    json("malformed_json", "inputs twice", br#"{"inputs":[],"inputs":[]}"#.to_vec());
    json(
        "malformed_json",
        "inputs without data",
        br#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}"#.to_vec(),
    );
    json("malformed_json", "an id of 2,000 letters", format!(r#"{{"id":"{}","inputs":[]}}"#, "x".repeat(2000)).into());
    json("malformed_json", "data of 200 levels", tensor("x", "[1]", "FP32", &("[".repeat(200) + &"]".repeat(200))));
    json("malformed_json", "a nested dimension", tensor("x", "[[[1]]]", "FP32", "[1]"));
    json("malformed_json", "an object as data", tensor("x", "[1]", "FP32", "{}"));
    json("invalid_input", "empty inputs", br#"{"inputs":[]}"#.to_vec());
    json("invalid_input", "a shape of 2^124", tensor("x", "[9223372036854775807, 9223372036854775807]", "FP32", "[1]"));
    json("invalid_input", "a shape of 10^12", tensor("x", "[1000000, 1000000]", "FP32", "[1]"));
    json("invalid_input", "a negative dimension", tensor("x", "[-1, 4]", "FP32", "[1, 2, 3, 4]"));
    json("invalid_input", "a broken dimension", tensor("x", "[1.5]", "FP32", "[1]"));
    json("invalid_input", "a dimension of 10^30", tensor("x", "[1e30]", "FP32", "[1]"));
    json("invalid_input", "33 dimensions", tensor("x", &format!("[{}1]", "1,".repeat(32)), "FP32", "[1]"));
    json("invalid_input", "an unknown datatype", tensor("x", "[1]", "COMPLEX128", "[1]"));
    json("invalid_input", "too few values", tensor("x", "[3]", "FP32", "[1, 2]"));
    json("invalid_input", "too many values", tensor("x", "[1]", "FP32", "[1, 2]"));
    json("invalid_input", "another nesting", tensor("x", "[2, 3]", "FP32", "[[1, 2], [3, 4], [5, 6]]"));
    json("invalid_input", "a ragged nesting", tensor("x", "[2, 2]", "FP32", "[[1, 2, 3], [4]]"));
    json("invalid_input", "300 as a byte", tensor("x", "[1]", "UINT8", "[300]"));
    json("invalid_input", "a half as an integer", tensor("x", "[1]", "INT64", "[0.5]"));
    json("invalid_input", "1e39 as FP32", tensor("x", "[1]", "FP32", "[1e39]"));
    json("invalid_input", "70,000 as FP16", tensor("x", "[1]", "FP16", "[70000]"));
    json("invalid_input", "text as a truth value", tensor("x", "[1]", "BOOL", r#"["yes"]"#));
    json("invalid_input", "a number as bytes", tensor("x", "[1]", "BYTES", "[1]"));
    let one = r#"{"name":"x","shape":[0],"datatype":"FP32","data":[]}"#;
    json("invalid_input", "300 inputs", format!(r#"{{"inputs":[{}{one}]}}"#, format!("{one},").repeat(299)).into());
}

fn tensor(name: &str, shape: &str, datatype: &str, data: &str) -> Vec<u8> {
    format!(r#"{{"inputs":[{{"data":{data},"name":"{name}","shape":{shape},"datatype":"{datatype}"}}]}}"#).into()
}

/// An npy file of version 1.
pub fn array(descr: &str, fortran_order: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", length.as_slice(), header.as_bytes(), content].concat()
}

fn patched(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// The sample with another size in its first chunk, whose checksum is right.
fn png_sized(width: u32, height: u32) -> Vec<u8> {
    let file = patched(PNG, 16, &[width.to_be_bytes(), height.to_be_bytes()].concat());
    let checksum = crc32(&file[12..29]);
    patched(&file, 29, &checksum.to_be_bytes())
}

/// The sample with another size in its frame header.
fn jpeg_sized(width: u16, height: u16) -> Vec<u8> {
    let frame = JPEG.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("the sample is a baseline JPEG");
    patched(JPEG, frame + 5, &[height.to_be_bytes(), width.to_be_bytes()].concat())
}

/// A header and directory only: 8-bit RGB in one strip.
fn tiff_sized(width: u32, height: u32) -> Vec<u8> {
    let entries: [(u16, u32); 8] =
        [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height), (279, 4)];
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        file.extend([tag.to_le_bytes(), 4u16.to_le_bytes()].concat());
        file.extend([1u32.to_le_bytes(), value.to_le_bytes()].concat());
    }
    file.extend([0; 4]);
    file
}

/// An extended header (RFC 9649, 2.7) and nothing after it.
fn webp_sized(width_minus_one: u32, height_minus_one: u32) -> Vec<u8> {
    let mut chunk = b"VP8X\x0A\0\0\0\0\0\0\0".to_vec();
    chunk.extend(&width_minus_one.to_le_bytes()[..3]);
    chunk.extend(&height_minus_one.to_le_bytes()[..3]);
    let length = (chunk.len() as u32 + 4).to_le_bytes();
    [b"RIFF", length.as_slice(), b"WEBP", &chunk].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
