using System.Text.Json;
using Forebay.Cli.Configuration;
using Forebay.Cli.Verbs;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Doctor;

/// <summary>The work of <c>forebay doctor</c>: looks at the machine and at the mounts on it. Changes nothing but what killed mounts left in the runtime directory.</summary>
internal static class DoctorRunner
{
    /// <summary>Checks everything; gives the exit code.</summary>
    public static async Task<int> RunAsync(OutputFormat format, TextWriter output, CancellationToken cancellationToken)
    {
        MachineFacts facts = MachineFacts.Read();
        List<Finding> findings = [.. MachineChecks.Of(facts)];
        string cache = DefaultCache.DirectoryOf(Environment.GetEnvironmentVariable) + "-mounts";
        (long size, long free) = DefaultCache.DiskSpaceOf(cache);
        findings.Add(MachineChecks.Cache(cache, facts.Mounts, size, free));
        MountChecks mounts = new(new MountRegistry(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable)), MountChecks.Probe, TimeProvider.System);
        findings.AddRange(await mounts.RunAsync(facts.Mounts, cancellationToken));
        return Print(findings, format, output);
    }

    /// <summary>Prints findings; gives the exit code.</summary>
    internal static int Print(List<Finding> findings, OutputFormat format, TextWriter output)
    {
        if (format == OutputFormat.Json)
        {
            output.WriteLine(JsonSerializer.Serialize(findings, DoctorJson.Default.ListFinding));
        }
        else
        {
            foreach (Finding finding in findings)
            {
                output.WriteLine($"{WordOf(finding.State),-4}  {finding.Check,-12}  {finding.What}");
                if (finding.Remedy is { } remedy)
                {
                    output.WriteLine($"{"",-20}{remedy}");
                }
            }
        }

        return findings.Exists(finding => finding.State == FindingState.Fail) ? ExitCode.Failure : ExitCode.Success;
    }

    private static string WordOf(FindingState state) => state switch
    {
        FindingState.Ok => "ok",
        FindingState.Warn => "warn",
        _ => "FAIL",
    };
}
