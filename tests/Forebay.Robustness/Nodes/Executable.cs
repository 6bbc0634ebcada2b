using System.Diagnostics;

namespace Forebay.Robustness.Nodes;

/// <summary>Finds the executable under test: what <c>./test</c> has published, else the checkout's own, built once.</summary>
internal static class Executable
{
    private static readonly Lazy<string> Found = new(Find);

    public static string FilePath => Found.Value;

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("FOREBAY_EXECUTABLE") is { Length: > 0 } given)
        {
            return File.Exists(given) ? given : throw new InvalidOperationException($"FOREBAY_EXECUTABLE names {given}, which does not exist");
        }

        using Process build = Process.Start(Path.Combine(Repository.Root, "forebay"), ["version"]);
        build.WaitForExit();
        return build.ExitCode == 0
            ? Path.Combine(Repository.Root, ".build", "forebay")
            : throw new InvalidOperationException("./forebay version failed: there is no executable to test");
    }
}
