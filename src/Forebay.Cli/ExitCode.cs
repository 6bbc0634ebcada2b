namespace Forebay.Cli;

/// <summary>How every command of <c>forebay</c> ends; docs/CLI.md explains them.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>It was tried and failed.</summary>
    public const int Failure = 1;

    /// <summary>The command line or the configuration cannot be used; nothing was started.</summary>
    public const int Usage = 2;

    /// <summary>The machine lacks something: a port, room on a disk, a permission, a running node.</summary>
    public const int Environment = 3;

    /// <summary>The object, prefix or mount point does not exist.</summary>
    public const int NotFound = 4;

    /// <summary>Some of it was done, some failed; the output says which.</summary>
    public const int Partial = 5;

    /// <summary>The source refuses these credentials.</summary>
    public const int Refused = 7;

    /// <summary>The source does not answer.</summary>
    public const int SourceUnreachable = 8;
}
