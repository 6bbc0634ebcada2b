using System.Diagnostics;
using Forebay.Robustness.Nodes;

namespace Forebay.Robustness.Clients;

/// <summary>One run of a client people use, with a node's address and key pair in its environment and no configuration of this user's.</summary>
internal static class ClientRun
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>True when the program, or a file a program needs, is there.</summary>
    public static bool IsInstalled(string program)
        => program.StartsWith('/') ? Path.Exists(program) : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => File.Exists(Path.Combine(directory, program)));

    /// <summary>Runs to the end; fails the test with everything it said unless it ends with the wanted code.</summary>
    public static async Task<string> ExpectAsync(int exitCode, string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("AWS_", StringComparison.Ordinal) || name.EndsWith("_proxy", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["AWS_ACCESS_KEY_ID"] = NodeSettings.AccessKeyId;
        start.Environment["AWS_SECRET_ACCESS_KEY"] = NodeSettings.SecretAccessKey;
        start.Environment["AWS_CONFIG_FILE"] = "/dev/null";
        start.Environment["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null";
        start.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        start.Environment["AWS_DEFAULT_REGION"] = "us-east-1";
        start.Environment["LC_ALL"] = "C.UTF-8";
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        using CancellationTokenSource limit = new(Limit);
        Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
        string output = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        Assert.True(process.ExitCode == exitCode, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}{await error}");
        return output + await error;
    }
}

/// <summary>A test that drives a client; where the client is not installed it is skipped, with this reason in the output.</summary>
internal sealed class ClientTheoryAttribute : TheoryAttribute
{
    /// <param name="program">Program on the PATH, or the absolute path of what must be there.</param>
    /// <param name="package">Package of Debian that brings it.</param>
    public ClientTheoryAttribute(string program, string package)
        => Skip = ClientRun.IsInstalled(program) ? null : $"needs {program} (Debian package {package}); ./test installs it when run as root";
}
