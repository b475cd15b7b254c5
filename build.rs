//! Leaves the unwind tables out of the program: 13 % of its size, and nothing reads them. A panic prints
//! its message and aborts; it unwinds nothing. The standard library comes with tables whatever our own
//! flags say, so it is the linker that has to drop them. GNU ld and lld both understand the script.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    tell_cargo("rerun-if-changed=build.rs");
    let is = |name, value: &str| env::var(name).is_ok_and(|set| set == value);
    if is("PROFILE", "release") && env::var_os("CARGO_FEATURE_MISTAKES").is_some() {
        let why = "the feature `mistakes` makes a program that fails, and is for debug builds only";
        return Err(io::Error::other(why));
    }
    // Tests unwind, debuggers and profilers read the tables: they stay wherever there is debug info.
    if !(is("PROFILE", "release") && is("DEBUG", "false") && is("CARGO_CFG_TARGET_OS", "linux")) {
        return Ok(());
    }
    let mut script = NO_TABLES.to_owned();
    if is("CARGO_CFG_TARGET_ARCH", "x86_64") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        script.extend(UNWINDER.map(|name| format!("HIDDEN({name} = _fini);\n")));
    }
    let path = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("no-unwind.ld");
    fs::write(&path, script)?;
    tell_cargo(&format!("rustc-link-arg-bins=-T{}", path.display()));
    Ok(())
}

fn tell_cargo(instruction: &str) {
    println!("cargo::{instruction}");
}

/// `INSERT` keeps the rest of the linker's own script. `.pdr` is for debuggers, on MIPS. Where the C library is
/// linked in, its `crtbegin.o` looks for the tables' beginning. GNU ld will not leave out what is looked for, so
/// that object keeps the few bytes that it brings itself.
const NO_TABLES: &str = "\
SECTIONS
{
  /DISCARD/ : {
    *(EXCLUDE_FILE(*crtbegin*.o) .eh_frame)
    *(.eh_frame_hdr .gcc_except_table .gcc_except_table.* .pdr)
  }
}
INSERT AFTER .text;
";

/// What the standard library wants of `libgcc_s`. Without tables it all comes to nothing, so it is
/// done by the C library's empty function, and `libgcc_s` need not be loaded: a tenth of the time from start
/// to end. A name that is missing here brings `libgcc_s` back and does no harm.
const UNWINDER: [&str; 10] = [
    "_Unwind_Backtrace",
    "_Unwind_GetDataRelBase",
    "_Unwind_GetIP",
    "_Unwind_GetIPInfo",
    "_Unwind_GetLanguageSpecificData",
    "_Unwind_GetRegionStart",
    "_Unwind_GetTextRelBase",
    "_Unwind_Resume",
    "_Unwind_SetGR",
    "_Unwind_SetIP",
];
