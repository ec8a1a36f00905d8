// Log lines of the Gate: one JSON object a line, on standard error.
import CLinux
import Glibc

/// Writes log lines. Nothing is logged for single requests.
enum GateLog {
  static func info(_ message: String, _ fields: [(String, String)] = []) { write("info", message, fields) }
  static func error(_ message: String, _ fields: [(String, String)] = []) { write("error", message, fields) }

  private static func write(_ level: String, _ message: String, _ fields: [(String, String)]) {
    var line =
      "{\"time\":\(Double(gate_wall() / 1000) / 1000),\"level\":\"\(level)\",\"message\":\"\(escape(message))\""
    for (name, value) in fields { line += ",\"\(escape(name))\":\"\(escape(value))\"" }
    line += ",\"pid\":\(getpid())}\n"
    let bytes = Array(line.utf8)
    _ = Glibc.write(2, bytes, bytes.count)
  }

  private static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 0x20: result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
