namespace Forebay.Robustness.Mounts;

/// <summary>The access log of real mounts, switched while they serve.</summary>
public sealed class AccessLogTests
{
    [MountFact]
    public async Task ItIsSwitchedLiveAndSurvivesTheWorker()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");
        string log = mount["access"];

        await MustAsync("before", "cat a/small; true");
        Finished on = await mount.RunAsync("access-log", mount.MountPoint, "on", "--file", log);
        await MustAsync("on", "cat a/large > /dev/null; cat missing 2> /dev/null; true");
        await Eventually.TrueAsync("lines are written", () => Lines().Any(line => line.Contains("\t/missing\t", StringComparison.Ordinal)));
        ListedMount listed = await mount.ListedAsync();
        MountedDirectory.Kill(listed.WorkerPid);
        await MustAsync("after a kill", "cat 'a/b c/ü' > /dev/null");
        await Eventually.TrueAsync("the next worker writes on", () => Lines().Any(line => line.Contains("\t/a/b c/ü\t", StringComparison.Ordinal)));
        Finished off = await mount.RunAsync("access-log", mount.MountPoint, "off");
        int lines = Lines().Length;
        await MustAsync("off", "cat a/empty missing2 2> /dev/null; true");
        Finished state = await mount.RunAsync("access-log", mount.MountPoint, "--output", "json");

        Assert.True(on.Code == 0 && off.Code == 0 && state.Code == 0, on.Text + off.Text + state.Text + mount.Log);
        Assert.Contains("\"on\":false", state.Output, StringComparison.Ordinal);
        Assert.Equal(lines, Lines().Length);
        Assert.DoesNotContain(Lines(), line => line.Contains("a/small", StringComparison.Ordinal));
        Assert.Contains(Lines(), line => line.Contains("\tread\t", StringComparison.Ordinal) && line.EndsWith("\tcold", StringComparison.Ordinal));
        Assert.Equal(0, (await mount.RunAsync("unmount", mount.MountPoint)).Code);
        Assert.Equal([".lock", ".log"], Directory.GetFiles(mount["run"]).Select(Path.GetExtension).Order(StringComparer.Ordinal));

        string[] Lines() => File.Exists(log) ? File.ReadAllLines(log) : [];

        async Task MustAsync(string when, string script)
        {
            Finished run = await mount.ShellAsync($"cd {mount.MountPoint} && ({script})");
            Assert.True(run.Code == 0, $"{when}: {run.Text}\n{mount.Log}");
        }
    }

    [MountFact]
    public async Task AMountBeginsWithItAndNoSecretIsInIt()
    {
        using MountedDirectory mount = new();
        await using Sources.PatternSource source = new();
        source.Put("file", 1, 12_345);
        mount.Environment["AWS_ACCESS_KEY_ID"] = "id-3f81";
        mount.Environment["AWS_SECRET_ACCESS_KEY"] = "secret-77aa01";

        await mount.MustMountAsync($"s3://{Sources.PatternSource.Bucket}", "-o", $"url={source.Endpoint},endpoint=us-east-1,use_path_request_style,access_log={mount["access"]}");
        await mount.ShellAsync($"cat {mount.MountPoint}/file > /dev/null");
        Assert.Equal(0, (await mount.RunAsync("unmount", mount.MountPoint)).Code);

        string text = await File.ReadAllTextAsync(mount["access"]);
        Assert.Contains("\t/file\t", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-77aa01", text, StringComparison.Ordinal);
        Assert.DoesNotContain("id-3f81", text, StringComparison.Ordinal);
    }
}
