using System.Text;

namespace Forebay.Robustness.Nodes;

/// <summary>What a node under test is started with; becomes its <c>forebay.yaml</c>.</summary>
internal sealed class NodeSettings
{
    public const string AccessKeyId = "robustness";

    public const string SecretAccessKey = "robustness-secret-8c1f3e7a";

    /// <summary>For <see cref="Fill"/>: faults end within a test.</summary>
    public static readonly string[] ShortTimeouts =
    [
        "connect-timeout: 1s", "first-byte-timeout: 500ms", "idle-timeout: 500ms", "operation-timeout: 4s",
        "max-attempts: 4", "retry-base-delay: 10ms", "retry-max-delay: 100ms",
    ];

    /// <summary>Lines below <c>mounts:</c>, by name of the mount point.</summary>
    public Dictionary<string, string[]> Mounts { get; } = new(StringComparer.Ordinal);

    /// <summary>Null: served through.</summary>
    public string? CacheDirectory { get; set; }

    public string CacheQuota { get; set; } = "256Mi";

    /// <summary>Empty for the product's own: a source that runs in the test's process answers late when the machine is busy, and is not at fault.</summary>
    public string[] Fill { get; set; } = [];

    public string[] Limits { get; set; } = [];

    /// <summary>Added to the node's environment.</summary>
    public Dictionary<string, string> Environment { get; } = new(StringComparer.Ordinal);

    public string S3Address { get; set; } = "127.0.0.1:0";

    public string AdminAddress { get; set; } = "127.0.0.1:0";

    /// <summary>A mount point over an S3 source that takes any signature.</summary>
    public NodeSettings MountS3(string name, string endpoint, string bucket, params string[] options)
    {
        Mounts[name] =
        [
            $"source: \"s3://{bucket}/?endpoint={endpoint}&region=us-east-1&path-style=true\"",
            "access-key-id: source-key", "secret-access-key: source-secret-55d0b2c9", .. options,
        ];
        return this;
    }

    /// <summary>A mount point over a directory.</summary>
    public NodeSettings MountDirectory(string name, string directory, params string[] options)
    {
        Mounts[name] = [$"source: \"file://{directory}\"", .. options];
        return this;
    }

    public string ToYaml()
    {
        StringBuilder text = new("version: 1\nmounts:\n");
        foreach ((string name, string[] options) in Mounts)
        {
            Group(text, $"  {name}:", options, "    ");
        }

        text.Append(CacheDirectory is null ? "cache: []\n" : $"cache:\n  - {{ directory: \"{CacheDirectory}\", quota: {CacheQuota} }}\n");
        text.Append($"s3: {{ address: \"{S3Address}\" }}\nadmin: {{ address: \"{AdminAddress}\" }}\n");
        Group(text, "fill:", Fill, "  ");
        Group(text, "limits:", Limits, "  ");
        return text.ToString();
    }

    private static void Group(StringBuilder text, string name, string[] options, string indent)
    {
        if (options.Length > 0)
        {
            text.Append(name).Append('\n');
            foreach (string option in options)
            {
                text.Append(indent).Append(option).Append('\n');
            }
        }
    }
}
