// What a Gate process asks of the system before it starts.
import CLinux

public enum GateProcess {
  /// Raises the limit of open files and keeps the allocator frugal. Call once, before any thread is started.
  public static func prepare() {
    gate_raise_file_limit()
    gate_tune_allocator()
  }
}
