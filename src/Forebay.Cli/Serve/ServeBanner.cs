using Forebay.Caching;
using Forebay.Cli.Configuration;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.Cli.Serve;

/// <summary>The short table a node prints when it is ready.</summary>
internal static class ServeBanner
{
    public static void Write(TextWriter output, ForebayConfiguration configuration, IReadOnlyList<IEdge> edges, KeyConfiguration? generated)
    {
        output.WriteLine($"forebay {ProductVersion.Text}");
        foreach (IEdge edge in edges.Where(edge => edge.Address.Length > 0))
        {
            Row(edge.Name, edge.Address);
        }

        int width = configuration.Mounts.Max(mount => mount.Engine.Name.Length);
        foreach (MountConfiguration mount in configuration.Mounts)
        {
            Row("mount", $"{mount.Engine.Name.PadRight(width)}  {mount.Source}{(mount.Preset is null ? "" : $"  (preset {mount.Preset})")}");
        }

        foreach (TierOptions tier in configuration.Engine.Tiers)
        {
            string preset = configuration.DefaultCache ? "  (chosen; --cache DIR:QUOTA sets another)" : "";
            Row("cache", $"{tier.Directory}  {ByteSize.Format(tier.QuotaBytes)} {tier.Medium.ToString().ToUpperInvariant()}{preset}");
        }

        if (configuration.Engine.Tiers.Count == 0)
        {
            Row("cache", "none: everything is served through");
        }

        if (generated is not null)
        {
            Row("key", $"AWS_ACCESS_KEY_ID={generated.AccessKeyId}");
            Row("", $"AWS_SECRET_ACCESS_KEY={generated.SecretAccessKey!.Reveal()}");
            Row("", "made for this run and shown only here; FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY set a lasting one");
            Row("", "the page at the admin address signs in with it, too");
        }

        output.WriteLine("ready");
        output.Flush();

        void Row(string name, string text) => output.WriteLine($"  {name,-6} {text}");
    }
}
