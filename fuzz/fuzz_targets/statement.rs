#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faultwire_fuzz::statement(data));
