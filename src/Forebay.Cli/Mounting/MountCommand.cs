using System.CommandLine;

namespace Forebay.Cli.Mounting;

/// <summary><c>forebay mount</c>: what it takes.</summary>
internal static class MountCommand
{
    public static Command Create()
    {
        Argument<string?> source = new("SOURCE") { Description = "URL of a bucket or directory, an absolute directory, BUCKET:/PATH with -o url=…, or forebay://HOST:PORT/NAME of a running node.", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> directory = new("DIR") { Description = "Where to mount it: an empty directory.", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> options = Repeated("-o", "OPTION,…", "Mount options between commas; docs/MOUNT.md lists them. May be repeated.");
        Option<string[]> caches = Repeated("--cache", "DIR:QUOTA[:MEM|SSD|HDD]", "Cache directory with a bound such as 100Gi, or \"none\". May be repeated.");
        Option<bool> foreground = new("--foreground", "-f") { Description = "Stay in the foreground and end with the mount; logs go to the standard error." };
        Option<bool> list = new("--list", "-l") { Description = "List the mounts of this user." };
        Option<string?> upgrade = new("--upgrade") { Description = "Let a worker of this executable take over the mount on DIR, without an error to its users.", HelpName = "DIR" };
        Option<bool> sloppy = new("--sloppy") { Description = "Pass over options that are not known.", Hidden = true };
        Option<OutputFormat> format = OutputOption.Create();
        Command command = new("mount", "Mounts a bucket, a directory or a running node, read-only, behind a cache.") { source, directory, options, caches, foreground, list, upgrade, sloppy, format };
        command.Validators.Add(result =>
        {
            bool mounts = result.GetValue(source) is not null && result.GetValue(directory) is not null;
            bool none = result.GetValue(source) is null && result.GetValue(directory) is null;
            int others = (result.GetValue(list) ? 1 : 0) + (result.GetValue(upgrade) is null ? 0 : 1);
            if (!(mounts && others == 0) && !(none && others == 1))
            {
                result.AddError("Give SOURCE and DIR, or one of --list and --upgrade DIR.");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            InvocationConfiguration console = parsed.InvocationConfiguration;
            return parsed.GetValue(list) ? MountListing.Run(parsed.GetValue(format) == OutputFormat.Json, console.Output)
                : parsed.GetValue(upgrade) is { } mounted ? UpgradeRunner.Run(mounted, console.Output, console.Error)
                : await MountRunner.RunAsync(
                    new MountRequest(
                        parsed.GetValue(source)!, parsed.GetValue(directory)!, parsed.GetValue(options) ?? [], parsed.GetValue(caches) ?? [], parsed.GetValue(foreground), parsed.GetValue(sloppy)),
                    console.Output,
                    console.Error,
                    cancellationToken);
        });
        return command.WithExamples(
            "forebay mount s3://bucket/prefix /mnt/data",
            "forebay mount s3://models/llm /mnt/llm -o allow_other,immutable,umask=022 --cache /mnt/nvme/forebay:500Gi",
            "forebay mount bucket:/path /mnt/data -o url=https://oss-cn-hangzhou.aliyuncs.com -o passwd_file=/etc/passwd-oss",
            "forebay mount forebay://127.0.0.1:9001/models /mnt/models",
            "forebay mount --list --output json");
    }

    private static Option<string[]> Repeated(string name, string value, string description)
        => new(name) { Description = description, HelpName = value, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
}
