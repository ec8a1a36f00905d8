// Stand-ins for the services that ECS calls.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import ELBv2Model
import STSModel
import SecretsManagerModel
import ServiceKit
import Synchronization

/// CloudWatch Logs, as far as ECS calls it.
final class FakeLogs: AWSService {
  private let state = Mutex<(groups: Set<String>, lines: [String: [String]])>((["app"], [:]))

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(CloudWatchLogs.createLogGroup) { [self] input, _ in
      state.withLock { _ = $0.groups.insert(input.logGroupName) }
      return .init()
    }
    table.on(CloudWatchLogs.createLogStream) { [self] input, _ in
      guard state.withLock({ $0.groups.contains(input.logGroupName) }) else {
        throw AWSError("ResourceNotFoundException", "The specified log group does not exist.")
      }
      return .init()
    }
    table.on(CloudWatchLogs.putLogEvents) { [self] input, _ in
      state.withLock { $0.lines[input.logStreamName, default: []] += input.logEvents.map(\.message) }
      return .init()
    }
    return [ServiceAPI(CloudWatchLogs.model, actionPrefix: "logs", table)]
  }

  func lines(_ stream: String) -> [String] { state.withLock { $0.lines[stream] ?? [] } }
}

/// A load balancer whose targets are as healthy as the test says.
final class FakeBalancer: AWSService {
  struct State {
    var targets: [String: String] = [:]
    /// What newly registered targets are.
    var newState = "healthy"
    /// What was asked, in order: `register`, `deregister`.
    var calls: [String] = []
    /// Of the targets that were registered.
    var zones: [String] = []
    /// Deregistered targets drain until the test says so.
    var holdsDraining = false
  }
  let state = Mutex(State())
  static let group = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/app/0123456789abcdef"

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    @Sendable func name(_ target: ELBv2.TargetDescription) -> String { "\(target.id):\(target.port ?? 0)" }
    table.on(ELBv2.describeTargetGroups) { input, _ in
      .make {
        $0.targetGroups = (input.targetGroupArns ?? []).map { arn in
          .make {
            $0.targetGroupArn = arn
            $0.targetType = "ip"
            $0.loadBalancerArns = arn == Self.group ? ["arn:lb"] : []
          }
        }
      }
    }
    table.on(ELBv2.describeTargetGroupAttributes) { _, _ in .init() }
    table.on(ELBv2.registerTargets) { [self] input, _ in
      state.withLock { s in
        for target in input.targets {
          s.targets[name(target)] = s.newState
          s.calls.append("register \(name(target))")
          if let zone = target.availabilityZone { s.zones.append(zone) }
        }
      }
      return .init()
    }
    table.on(ELBv2.deregisterTargets) { [self] input, _ in
      state.withLock { s in
        for target in input.targets {
          s.targets[name(target)] = s.holdsDraining ? "draining" : nil
          s.calls.append("deregister \(name(target))")
        }
      }
      return .init()
    }
    table.on(ELBv2.describeTargetHealth) { [self] input, _ in
      let wanted = input.targets.map { $0.map(name) }
      let targets = state.withLock { $0.targets }.filter { wanted?.contains($0.key) ?? true }
      return .make {
        $0.targetHealthDescriptions = targets.map { key, state in
          let parts = key.split(separator: ":")
          return .make {
            $0.target = .make {
              $0.id = String(parts[0])
              $0.port = Int(parts[1])
            }
            $0.targetHealth = .make { $0.state = state }
          }
        }
      }
    }
    return [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)]
  }
}

/// Roles that trust ecs-tasks, and one secret that only the execution role reads.
final class FakeIdentity: AWSService {
  static let execution = "arn:aws:iam::000000000000:role/execution"
  static let task = "arn:aws:iam::000000000000:role/task"
  static let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"
  let assumptions = Mutex<[String]>([])

  var apis: [ServiceAPI] {
    var sts = HandlerTable()
    sts.on(STS.assumeRole) { [self] input, call in
      guard [Self.execution, Self.task].contains(input.roleArn), call.principal.arn == "ecs-tasks.amazonaws.com" else {
        throw AWSError("AccessDenied", "not trusted", status: 403)
      }
      assumptions.withLock { $0.append(input.roleArn) }
      return .make {
        $0.credentials = .make {
          $0.accessKeyId = "ASIA"
          $0.secretAccessKey = "secret"
          $0.sessionToken = "session"
          $0.expiration = call.now.adding(seconds: 3600)
        }
        $0.assumedRoleUser = .make {
          $0.arn =
            "arn:aws:sts::000000000000:assumed-role/\(input.roleArn.split(separator: "/").last ?? "")/\(input.roleSessionName)"
          $0.assumedRoleId = "AROA:\(input.roleSessionName)"
        }
      }
    }
    var secrets = HandlerTable()
    secrets.on(SecretsManager.getSecretValue) { input, call in
      guard call.principal.roleARN == Self.execution else { throw AWSError("AccessDeniedException", "no") }
      guard input.secretId == Self.secret else { throw AWSError("ResourceNotFoundException", "no such secret") }
      return .make { $0.secretString = #"{"username":"shop","port":5432}"# }
    }
    return [
      ServiceAPI(STS.model, actionPrefix: "sts", sts),
      ServiceAPI(SecretsManager.model, actionPrefix: "secretsmanager", secrets),
    ]
  }
}
