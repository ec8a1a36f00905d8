// What a Gate process asks of the system before it starts.
import CLinux
import COpenSSL

public enum GateProcess {
  /// Raises the limit of open files and keeps the allocator frugal. Call once, before any thread is started.
  public static func prepare() {
    gate_raise_file_limit()
    gate_tune_allocator()
    // Only while OpenSSL has not allocated anything; without it the C library serves.
    _ = CRYPTO_set_mem_functions(gate_cached_malloc, gate_cached_realloc, gate_cached_free)
  }
}
