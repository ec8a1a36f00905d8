// Health checks as they are kept: what is wanted, and what was seen.

import AWSCore
import Route53Model
import Store

/// A health check that somebody made.
struct HealthCheckRecord: Record {
  static let collection = "route53.healthcheck"
  var recordID: String { id }
  var recordIndex: [String: String] { ["reference": callerReference] }

  struct Alarm: Codable, Sendable, Hashable {
    var name: String
    var region: String
  }

  /// The settings, each as it was sent, with what Route 53 itself fills in.
  struct Settings: Codable, Sendable, Hashable {
    var type: HealthCheckType
    var ipAddress: String?
    var port: Int?
    var resourcePath: String?
    var domainName: String?
    var searchString: String?
    /// 10 or 30 seconds.
    var requestInterval: Int?
    var failureThreshold: Int?
    var measuresLatency: Bool?
    var isInverted = false
    var isDisabled = false
    var enablesSNI: Bool?
    var regions: [String]?
    var children: [String]?
    var healthThreshold: Int?
    var alarm: Alarm?
    /// `Healthy`, `Unhealthy` or `LastKnownStatus`.
    var insufficientData: String?
  }

  /// The alarm's settings when the check was made or changed last: Route 53 does not follow them.
  struct AlarmSettings: Codable, Sendable, Hashable {
    var namespace: String?
    var metricName: String?
    var dimensions: [String: String] = [:]
    var statistic: String?
    var period: Int?
    var evaluationPeriods: Int?
    var threshold: Double?
    var comparisonOperator: String?
  }

  var id: String
  var callerReference: String
  var settings: Settings
  var version = 1
  var alarmSettings: AlarmSettings?
  var createdAt: Timestamp
  var tags: [String: String] = [:]
}

enum HealthCheckType: String, Codable, Sendable {
  case http = "HTTP"
  case https = "HTTPS"
  case httpMatch = "HTTP_STR_MATCH"
  case httpsMatch = "HTTPS_STR_MATCH"
  case tcp = "TCP"
  case calculated = "CALCULATED"
  case metric = "CLOUDWATCH_METRIC"

  /// Whether the check asks an endpoint.
  var isEndpoint: Bool { self != .calculated && self != .metric }
  var isTLS: Bool { self == .https || self == .httpsMatch }
  var searches: Bool { self == .httpMatch || self == .httpsMatch }
}

/// What was seen of a health check's endpoint or alarm.
struct HealthRecord: Record, Equatable {
  static let collection = "route53.health"
  var recordID: String { id }

  struct Report: Codable, Sendable, Hashable {
    var at: Timestamp
    var words: String
  }

  /// The health check's.
  var id: String
  var health = Health()
  var last: Report?
  var lastFailure: Report?
}

/// A caller reference of a deleted health check, which cannot be used again for some days.
struct UsedReferenceRecord: Record {
  static let collection = "route53.healthcheck-reference"
  var recordID: String { reference }
  var reference: String
  var deletedAt: Timestamp
}

extension HealthCheckRecord.Settings {
  static func make(_ input: Route53.HealthCheckConfig, _ type: HealthCheckType) -> Self {
    Self(
      type: type, ipAddress: input.ipAddress, port: input.port, resourcePath: input.resourcePath,
      domainName: input.fullyQualifiedDomainName, searchString: input.searchString,
      requestInterval: input.requestInterval, failureThreshold: input.failureThreshold,
      measuresLatency: input.measureLatency, isInverted: input.inverted ?? false,
      isDisabled: input.disabled ?? false, enablesSNI: input.enableSNI, regions: input.regions,
      children: input.childHealthChecks, healthThreshold: input.healthThreshold,
      alarm: input.alarmIdentifier.map { .init(name: $0.name, region: $0.region) },
      insufficientData: input.insufficientDataHealthStatus)
  }

  var wire: Route53.HealthCheckConfig {
    .make {
      $0.type = type.rawValue
      $0.ipAddress = ipAddress
      $0.port = port
      $0.resourcePath = resourcePath
      $0.fullyQualifiedDomainName = domainName
      $0.searchString = searchString
      $0.requestInterval = requestInterval
      $0.failureThreshold = failureThreshold
      $0.measureLatency = measuresLatency
      $0.inverted = isInverted
      $0.disabled = isDisabled
      $0.enableSNI = enablesSNI
      $0.regions = regions
      $0.childHealthChecks = children
      $0.healthThreshold = healthThreshold
      $0.alarmIdentifier = alarm.map { alarm in .make { ($0.name, $0.region) = (alarm.name, alarm.region) } }
      $0.insufficientDataHealthStatus = insufficientData
    }
  }
}

extension HealthCheckRecord {
  var wire: Route53.HealthCheck {
    .make {
      $0.id = id
      $0.callerReference = callerReference
      $0.healthCheckConfig = settings.wire
      $0.healthCheckVersion = version
      $0.cloudWatchAlarmConfiguration = alarmSettings.map { alarm in
        .make {
          $0.namespace = alarm.namespace
          $0.metricName = alarm.metricName
          $0.statistic = alarm.statistic
          $0.period = alarm.period
          $0.evaluationPeriods = alarm.evaluationPeriods
          $0.threshold = alarm.threshold
          $0.comparisonOperator = alarm.comparisonOperator
          $0.dimensions = alarm.dimensions.sorted { $0.key < $1.key }.map { name, value in
            .make { ($0.name, $0.value) = (name, value) }
          }
        }
      }
    }
  }
}
