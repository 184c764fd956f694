# What CloudWatch is asked of an endpoint, and what its answer and a container's page say.

def query($id; $space; $name; $stat; $dimensions):
  {Id: $id, MetricStat: {Period: 300, Stat: $stat,
    Metric: {Namespace: $space, MetricName: $name, Dimensions: $dimensions}}};

# Of an endpoint's configuration: the last 10 minutes of each variant.
def queries($endpoint):
  {StartTime: (now - 600 | todate), EndTime: (now | todate), MetricDataQueries: [
    .ProductionVariants | to_entries[] | .key as $at
    | [{Name: "EndpointName", Value: $endpoint}, {Name: "VariantName", Value: .value.VariantName}] as $of
    | query("cpu\($at)"; "/aws/sagemaker/Endpoints"; "CPUUtilization"; "Average"; $of),
      query("memory\($at)"; "/aws/sagemaker/Endpoints"; "MemoryUtilization"; "Maximum"; $of),
      query("latency\($at)"; "AWS/SageMaker"; "ModelLatency"; "Average"; $of),
      query("errors\($at)"; "AWS/SageMaker"; "Invocation5XXErrors"; "Sum"; $of)]};

# CloudWatch counts 100 percent for each vCPU. An instance type's size tells their number: large 2, xlarge 4, 2xlarge 8.
def vcpus:
  capture("(?<times>[0-9]*)xlarge$") // {times: "0.5"} | 4 * (if .times == "" then 1 else .times | tonumber end);

def divided($by): if . then . / $by * 10 | round / 10 else . end;

# null where there is no figure: no traffic, or a new instance.
def variants($config):
  (.MetricDataResults | map({key: .Id, value: .Values}) | from_entries) as $found
  | [$config.ProductionVariants | to_entries[] | "\(.key)" as $at | .value | {
      variant: .VariantName,
      cpu_percent: ($found["cpu" + $at] | max | divided(1)),
      memory_percent: ($found["memory" + $at] | max | divided(1)),
      latency_ms: ($found["latency" + $at] | max | divided(1000)),
      errors_5xx: ($found["errors" + $at] | add)}
    | if $config.ProductionVariants[$at | tonumber].InstanceType then
        .cpu_percent |= divided($config.ProductionVariants[$at | tonumber].InstanceType | vcpus)
      else . end];

def above($value; $limit; $what): select(($value // 0) > ($limit | tonumber)) | "\($what) \($value), above \($limit)";

def variant_breaches($limits):
  above(.cpu_percent; $limits.cpu; "\(.variant): CPU percent"),
  above(.memory_percent; $limits.memory; "\(.variant): memory percent"),
  above(.latency_ms; $limits.latency; "\(.variant): model latency in ms"),
  above(.errors_5xx; $limits.errors; "\(.variant): answers 5xx");

def endpoint($config; $status; $limits):
  {status: $status, variants: variants($config)}
  | .breaches = [(select(.status != "InService") | "the endpoint is \(.status)"),
      (.variants[] | variant_breaches($limits))];

# Of the text of /metrics, with what /ping answered after how many ms.
def container($ping; $ms; $limits):
  (split("\n") | map(capture("^strongroom_(?<key>[a-z_]+) (?<value>[0-9.]+)$") | .value |= tonumber) | from_entries)
  | {ping: $ping, ping_ms: $ms,
     memory_percent: (if .resident_memory_bytes then .resident_memory_bytes * 1000 / .memory_limit_bytes | round / 10
       else null end),
     queue_depth, requests_in_flight}
  | .breaches = [(select(.ping != 200) | if .ping == 0 then "/ping is not answered" else "/ping answers \(.ping)" end),
      (select(.memory_percent == null) | "/metrics tells no memory"),
      above(.ping_ms; $limits.latency; "ms to an answer of /ping:"),
      above(.memory_percent; $limits.memory; "memory percent")];
