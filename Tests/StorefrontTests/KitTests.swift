// Settings, traces and log lines.
import FoundationEssentials
import HTTPTypes
import Testing

@testable import StorefrontKit

@Suite struct KitTests {
  @Test("a task is named by Castle, else by ECS's metadata address, else by host and process")
  func task() {
    let metadata = "http://169.254.170.2/v4/abc-123"
    #expect(Settings(["CASTLE_TASK_ID": "t1", "ECS_CONTAINER_METADATA_URI_V4": metadata]).taskID == "t1")
    #expect(Settings(["CASTLE_TASK_ID": "", "ECS_CONTAINER_METADATA_URI_V4": metadata]).taskID == "abc-123")
    #expect(Settings([:]).taskID.contains(":"))
  }

  @Test("a setting that cannot be understood is named")
  func settings() throws {
    let settings = Settings(["PORT": "web", "SESSIONS_TLS": "maybe"])
    #expect(throws: SettingError("PORT is 'web'; it must be a number from 0 to 65535")) {
      _ = try settings.number("PORT", or: 1, in: 0...65535)
    }
    #expect(throws: SettingError("SESSIONS_TLS is 'maybe'; it must be true or false")) {
      _ = try settings.flag("SESSIONS_TLS", or: false)
    }
  }

  @Test("the load balancer's trace is passed on; without one a trace begins")
  func trace() {
    let given = "Self=1-1-a;Root=1-67891233-abcdef012345678912345678"
    let kept = Trace(of: [.amazonTrace: given, .traceParent: "00-a-b-01"], at: .now)
    #expect(kept.id == "1-67891233-abcdef012345678912345678")
    #expect(kept.fields[.amazonTrace] == given && kept.fields[.traceParent] == "00-a-b-01")
    let begun = Trace(of: [:], at: Date(timeIntervalSince1970: 1_000_000_000))
    #expect(begun.id.hasPrefix("1-3b9aca00-") && begun.id.utf8.count == 35)
  }

  @Test("a log line is one line of JSON, whatever is in it")
  func line() {
    var line = LogLine(at: Date(timeIntervalSince1970: 0))
    line.add("path", "/a\"b\\c\n\u{1}é")
    line.add("ms", milliseconds: .microseconds(1_050))
    line.add("status", 200)
    #expect(
      line.finished
        == "{\"time\":\"1970-01-01T00:00:00.000Z\",\"path\":\"/a\\\"b\\\\c\\n\\u0001é\",\"ms\":1.050,\"status\":200}\n")
  }
}
