namespace Forebay.Mounting;

/// <summary>How a mount ends or fails to begin; docs/CLI.md explains the numbers.</summary>
public static class MountExit
{
    /// <summary>Mounted, or unmounted in good order.</summary>
    public const int Success = 0;

    /// <summary>It was tried and failed.</summary>
    public const int Failure = 1;

    /// <summary>The machine lacks something: the mount point, the device, a permission, room.</summary>
    public const int Environment = 3;

    /// <summary>The source does not exist.</summary>
    public const int NotFound = 4;

    /// <summary>The source refuses these credentials.</summary>
    public const int Refused = 7;

    /// <summary>The source does not answer.</summary>
    public const int Unreachable = 8;
}
